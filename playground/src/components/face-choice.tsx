/** A photograph with a box around each face that was found in it. */

import { useState } from "preact/hooks";

import { usePage } from "../page";
import type { Intake } from "../state/pictures";

interface Props {
  intake: Intake;
  isChosen: (number: number) => boolean;
  onChoose: (number: number) => void;
  /** Use the photograph although no face was found. */
  onAsItIs: () => void;
  onClose: () => void;
}

export function FaceChoice({ intake, isChosen, onChoose, onAsItIs, onClose }: Props) {
  const { t } = usePage();
  const { file, faces, width, height } = intake;
  // Some browsers do not show every format that the service reads, such as HEIC.
  const [visible, setVisible] = useState(true);
  const name = file.name;

  return (
    <div class="card faces" role="group" aria-label={t("intake.faces", { name })}>
      <div class="faces-text">
        <p class={faces.length === 0 ? "error-text" : ""}>
          {faces.length === 0
            ? t("intake.noFace", { name })
            : faces.length === 1
              ? t("intake.one")
              : t("intake.many", { count: faces.length })}
        </p>
        {faces.length === 0 && (
          <button type="button" onClick={onAsItIs}>
            {t("intake.asItIs")}
          </button>
        )}
        <p class="hint">{t("app.privacy")}</p>
        <button type="button" class="small" onClick={onClose}>
          {t("intake.close")}
        </button>
      </div>
      <div
        class={visible ? "photo" : "photo without-image"}
        style={{ aspectRatio: `${width} / ${height}`, "--ratio": `${width / height}` }}
      >
        {visible && <img src={intake.url} alt={name} onError={() => setVisible(false)} />}
        {faces.map(({ box: [left, top, right, bottom] }, index) => (
          <button
            key={index}
            type="button"
            class="face-box"
            aria-label={t("intake.face", { number: index + 1 })}
            aria-pressed={isChosen(index + 1)}
            style={{
              left: `${(100 * left) / width}%`,
              top: `${(100 * top) / height}%`,
              width: `${(100 * (right - left)) / width}%`,
              height: `${(100 * (bottom - top)) / height}%`,
            }}
            onClick={() => onChoose(index + 1)}
          >
            <span aria-hidden="true">{index + 1}</span>
          </button>
        ))}
      </div>
    </div>
  );
}
