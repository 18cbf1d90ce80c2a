/** The tab Morph: a path through pictures, a slider along it, and files of it. */

import { useEffect, useState } from "preact/hooks";

import { Shelf } from "../../components/shelf";
import { usePage, type TabProps } from "../../page";
import { samplePicture, type Picture } from "../../state/pictures";
import { MorphDownload } from "./morph-download";
import { readMorph, writeMorph, type MorphState } from "./morph-state";
import { PathList } from "./path-list";
import { PathOptions } from "./path-options";
import { PathPlayer } from "./path-player";
import { usePathFrames } from "./use-path-frames";

export function MorphTab({ params }: TabProps) {
  const page = usePage();
  const { t, service } = page;
  const shown = page.isShown("morph");
  const [state, setState] = useState<MorphState>(() => readMorph(params));
  const [path, setPath] = useState<readonly Picture[]>([]);
  const frames = usePathFrames(path, state);

  useEffect(() => {
    const { seeds } = readMorph(params);
    Promise.all(seeds.map((seed) => samplePicture(service, seed))).then(setPath, page.report);
  }, [params]);

  useEffect(() => {
    if (path.length > 0) page.writeParams("morph", writeMorph(state, path));
  }, [state, path, shown]);

  const change = (part: Partial<MorphState>) => setState((before) => ({ ...before, ...part }));

  return (
    <>
      <h2 class="visually-hidden">{t("morph.title")}</h2>
      <Shelf
        shown={shown}
        labelOf={(item) => t("shelf.morph", { name: page.nameOf(item) })}
        isChosen={(item) => path.some(({ id }) => id === item.id)}
        onChoose={(item) => setPath((before) => [...before, item])}
      />
      <PathList path={path} onPath={setPath} />
      {path.length < 2 ? (
        <p class="hint">{t("morph.empty")}</p>
      ) : (
        <div class="workbench">
          <PathPlayer frames={frames} frame={state.frame} onFrame={(frame) => change({ frame })} />
          <div class="controls">
            <PathOptions options={state} onChange={change} />
            <MorphDownload path={path} options={state} />
          </div>
        </div>
      )}
    </>
  );
}
