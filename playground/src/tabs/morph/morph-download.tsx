/** Files of a path: an animation as GIF or APNG, or a row of eight as PNG. */

import { useState } from "preact/hooks";

import type { FileFormat } from "../../api/service";
import { saveFile } from "../../components/download";
import { Slider } from "../../components/slider";
import { usePage } from "../../page";
import type { Picture } from "../../state/pictures";
import { pathFields, type MorphOptions } from "./morph-state";

const FORMATS = ["gif", "apng", "png"] as const;
const ROW_STEPS = 8;

interface Props {
  path: readonly Picture[];
  options: MorphOptions;
}

export function MorphDownload({ path, options }: Props) {
  const page = usePage();
  const { t, service } = page;
  const [steps, setSteps] = useState(24);
  const [fps, setFps] = useState(12);
  const [bounce, setBounce] = useState(true);
  const [busy, setBusy] = useState<FileFormat>();

  async function download(format: (typeof FORMATS)[number]): Promise<void> {
    setBusy(format);
    page.announce(t("morph.preparing"));
    try {
      const fields =
        format === "png"
          ? pathFields(path, options, ROW_STEPS)
          : { ...pathFields(path, options, steps), fps, bounce };
      const name = `morph.${format === "apng" ? "apng.png" : format}`;
      saveFile(await service.pathFile(fields, format), name);
      page.announce(t("edit.downloaded", { file: name }));
    } catch (error) {
      page.report(error);
    } finally {
      setBusy(undefined);
    }
  }

  return (
    <fieldset>
      <legend>{t("edit.download")}</legend>
      <Slider
        label={t("morph.steps")}
        min={2}
        max={64}
        step={1}
        value={steps}
        format={String}
        onInput={setSteps}
      />
      <Slider
        label={t("morph.fps")}
        min={1}
        max={30}
        step={1}
        value={fps}
        format={String}
        onInput={setFps}
      />
      <label class="inline">
        <input
          type="checkbox"
          checked={bounce}
          onChange={(event) => setBounce(event.currentTarget.checked)}
        />
        {t("morph.bounce")}
      </label>
      <div class="row">
        {FORMATS.map((format) => (
          <button
            key={format}
            type="button"
            disabled={busy !== undefined}
            aria-label={t("morph.download", { format: format.toUpperCase() })}
            onClick={() => void download(format)}
          >
            {busy === format && <span class="spinner" aria-hidden="true" />}
            {format.toUpperCase()}
          </button>
        ))}
      </div>
    </fieldset>
  );
}
