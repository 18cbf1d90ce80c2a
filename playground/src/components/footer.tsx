/** What happens to photographs, and which model made the pictures. */

import type { Model } from "../api/types";
import type { Translate } from "../i18n";

export function Footer({ t, model }: { t: Translate; model: Model | undefined }) {
  const licence = model?.provenance["licence of the data"];
  return (
    <footer>
      <p>{t("app.privacy")}</p>
      {model && (
        <p>
          <code>{model.id}</code>
          {typeof licence === "string" && <> · {t("app.licence", { licence })}</>}
        </p>
      )}
    </footer>
  );
}
