/** The tab Edit: a picture under a divider, and a slider for each direction. */

import { useEffect, useRef, useState } from "preact/hooks";

import { Curl } from "../../components/curl";
import { Shelf } from "../../components/shelf";
import { usePage, type TabProps } from "../../page";
import { historyOf, pushed, redone, replaced, undone, type History } from "../../state/history";
import { seedsParam } from "../../state/location";
import { samplePicture, type Picture } from "../../state/pictures";
import { Controls } from "./controls";
import { DownloadButton } from "./download-button";
import { EditedPicture } from "./edited-picture";
import { editCommand, readEdit, writeEdit, type EditState } from "./edit-state";

export function EditTab({ params }: TabProps) {
  const page = usePage();
  const { t, service, model } = page;
  const shown = page.isShown("edit");
  const [picture, setPicture] = useState<Picture>();
  const [history, setHistory] = useState<History<EditState>>(() =>
    historyOf(readEdit(params, model)),
  );
  const state = history.present;
  const moving = useRef(false);
  const [format, setFormat] = useState<"png" | "jpeg">("jpeg");

  // The picture of the address, else the first of the shelf.
  useEffect(() => {
    const [seed] = seedsParam(params, "seed");
    if (seed === undefined) return;
    samplePicture(service, seed).then(setPicture, page.report);
  }, [params]);
  useEffect(() => {
    const [first] = page.pictures;
    if (!picture && first && !params.has("seed")) setPicture(first);
  }, [page.pictures]);

  useEffect(() => {
    if (picture) page.writeParams("edit", writeEdit(state, picture, model));
  }, [state, picture, shown]);

  /** While a slider moves, all its values are one step that can be undone. */
  function change(next: EditState): void {
    setHistory((before) => (moving.current ? replaced(before, next) : pushed(before, next)));
    moving.current = true;
  }

  function settle(): void {
    moving.current = false;
  }

  useEffect(() => {
    if (!shown) return;
    const onKeyDown = (event: KeyboardEvent) => {
      const isText = event.target instanceof HTMLInputElement && event.target.type === "text";
      if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || isText) return;
      event.preventDefault();
      setHistory(event.shiftKey ? redone : undone);
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [shown]);

  const { connection } = service;
  return (
    <>
      <h2 class="visually-hidden">{t("edit.title")}</h2>
      <Shelf
        shown={shown}
        labelOf={(item) => t("shelf.edit", { name: page.nameOf(item) })}
        isChosen={(item) => item.id === picture?.id || sameSeed(item, picture)}
        onChoose={setPicture}
      />
      <div class="workbench">
        <div class="stage">
          {picture ? (
            <EditedPicture picture={picture} state={state} />
          ) : (
            <div class="picture placeholder" aria-busy="true" />
          )}
          {picture && (
            <DownloadButton picture={picture} state={state} format={format} onFormat={setFormat} />
          )}
        </div>
        <Controls
          state={state}
          history={history}
          onInput={change}
          onSettled={settle}
          onHistory={setHistory}
        />
      </div>
      {picture && (
        <Curl
          commands={editCommand(
            picture,
            state,
            (path, query) => connection.address(path, query),
            format,
            connection.key !== undefined,
          )}
        />
      )}
    </>
  );
}

/** Whether two pictures are the same sample, one of them read from the address. */
function sameSeed(a: Picture, b: Picture | undefined): boolean {
  const plain = !a.sampling && !b?.sampling;
  return a.seed !== undefined && a.seed === b?.seed && plain;
}
