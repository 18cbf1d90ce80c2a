/** Commands that do the same as the page, to copy. */

import { useId } from "preact/hooks";

import { usePage } from "../page";

export function Curl({ commands }: { commands: string }) {
  const { t, announce } = usePage();
  const id = useId();

  async function copy(): Promise<void> {
    await navigator.clipboard.writeText(commands);
    announce(t("curl.copied"));
  }

  return (
    <section class="curl" aria-labelledby={id}>
      <div class="row spread">
        <h3 id={id}>{t("curl.title")}</h3>
        {navigator.clipboard && (
          <button type="button" class="quiet" onClick={() => void copy()}>
            {t("curl.copy")}
          </button>
        )}
      </div>
      <pre tabIndex={0} aria-labelledby={id}>
        <code>{commands}</code>
      </pre>
    </section>
  );
}
