/** The name of the page, the switch of languages, and the choice of a model where there are several. */

import type { Model } from "../api/types";
import { LANGUAGES, type Language, type Translate } from "../i18n";
import { fragmentOf, parseFragment } from "../state/location";

interface Props {
  t: Translate;
  language: Language;
  onLanguage: (language: Language) => void;
  models: readonly Model[];
  model: Model | undefined;
  onModel: (name: string) => void;
}

export function Header({ t, language, onLanguage, models, model, onModel }: Props) {
  function chooseLanguage(next: Language): void {
    const { tab, params } = parseFragment(location.hash);
    params.set("lang", next);
    history.replaceState(null, "", fragmentOf({ tab, params }));
    onLanguage(next);
  }

  return (
    <header>
      <img class="logo" src="playground/icon.svg" alt="" width="40" height="40" />
      <div class="title">
        <h1>Lorgnette</h1>
        <p>{t("app.tagline")}</p>
      </div>
      {models.length > 1 && (
        <label class="inline">
          {t("app.model")}
          <select value={model?.name} onChange={(event) => onModel(event.currentTarget.value)}>
            {models.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      <div class="languages" role="group" aria-label={t("app.language")}>
        {(Object.keys(LANGUAGES) as Language[]).map((code) => (
          <button
            key={code}
            type="button"
            lang={code}
            class="quiet"
            aria-pressed={code === language}
            onClick={() => chooseLanguage(code)}
          >
            {LANGUAGES[code]}
          </button>
        ))}
      </div>
    </header>
  );
}
