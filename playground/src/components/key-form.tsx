/** The field for an API key, where the service asks for one. It stays in memory. */

import { useState } from "preact/hooks";

import { ApiError } from "../api/problem";
import type { Translate } from "../i18n";

interface Props {
  t: Translate;
  error: unknown;
  onKey: (key: string) => void;
}

export function KeyForm({ t, error, onKey }: Props) {
  const [key, setKey] = useState("");
  const wrong = error instanceof ApiError && error.kind === "wrong-key";

  function submit(event: Event): void {
    event.preventDefault();
    if (key) onKey(key);
  }

  return (
    <form class="card key-form" onSubmit={submit}>
      <h2>{t("key.title")}</h2>
      <label for="api-key">{t("key.label")}</label>
      <div class="row">
        <input
          id="api-key"
          type="password"
          autocomplete="off"
          value={key}
          aria-describedby="api-key-note"
          aria-invalid={wrong}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
        <button type="submit" class="primary">
          {t("key.use")}
        </button>
      </div>
      <p id="api-key-note" class="hint">
        {t("key.note")}
      </p>
      <p role="alert" class="error-text">
        {wrong ? t("key.wrong") : ""}
      </p>
    </form>
  );
}
