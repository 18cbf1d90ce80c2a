/** Downloads the edited picture: of a photograph, at its full size. */

import { useState } from "preact/hooks";

import { saveFile } from "../../components/download";
import { usePage } from "../../page";
import type { Picture } from "../../state/pictures";
import { canPaste, cropFields, fullFields, type EditState } from "./edit-state";

interface Props {
  picture: Picture;
  state: EditState;
  format: "png" | "jpeg";
  onFormat: (format: "png" | "jpeg") => void;
}

export function DownloadButton({ picture, state, format, onFormat }: Props) {
  const page = usePage();
  const { t, service } = page;
  const [busy, setBusy] = useState(false);
  const full = canPaste(picture, state);

  async function download(): Promise<void> {
    setBusy(true);
    if (full) page.announce(t("edit.preparing"));
    try {
      const fields = full ? fullFields(picture, state) : cropFields(picture, state);
      const name = fileName(picture, format);
      saveFile(await service.arithmeticOfFiles(fields, format), name);
      page.announce(t("edit.downloaded", { file: name }));
    } catch (error) {
      page.report(error);
    } finally {
      setBusy(false);
    }
  }

  return (
    <div class="row download">
      <button
        type="button"
        class="primary"
        disabled={busy}
        aria-busy={busy}
        onClick={() => void download()}
      >
        {busy && <span class="spinner" aria-hidden="true" />}
        {full ? t("edit.downloadFull") : t("edit.download")}
      </button>
      <label class="inline">
        <span class="visually-hidden">{t("edit.format")}</span>
        <select
          value={format}
          onChange={(event) => onFormat(event.currentTarget.value === "png" ? "png" : "jpeg")}
        >
          <option value="jpeg">JPEG</option>
          <option value="png">PNG</option>
        </select>
      </label>
    </div>
  );
}

function fileName({ source, seed }: Picture, format: "png" | "jpeg"): string {
  const stem =
    source?.file.name.replace(/\.[^.]*$/, "") ?? (seed === undefined ? "face" : `face-${seed}`);
  return `${stem}-edited.${format === "jpeg" ? "jpg" : "png"}`;
}
