/** The expression, typed or built from the names of directions. */

import { useId } from "preact/hooks";

import { usePage } from "../../page";
import { parseExpression } from "../../state/expression";

interface Props {
  expression: string;
  onExpression: (expression: string) => void;
  onTerm: (sign: "+" | "-", name: string) => void;
}

export function ExpressionField({ expression, onExpression, onTerm }: Props) {
  const { t, directions } = usePage();
  const id = useId();
  const complete = parseExpression(expression) !== undefined;
  return (
    <div class="expression">
      <label for={id}>{t("arithmetic.expression")}</label>
      <input
        id={id}
        type="text"
        value={expression}
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        aria-describedby={`${id}-hint`}
        aria-invalid={!complete}
        onInput={(event) => onExpression(event.currentTarget.value)}
      />
      <p id={`${id}-hint`} class={complete ? "hint" : "error-text"} aria-live="polite">
        {t(complete ? "arithmetic.hint" : "error.expression")}
      </p>
      <div class="row" role="group" aria-label={t("arithmetic.directions")}>
        {directions.map(({ name }) => (
          <span key={name} class="chip">
            <button
              type="button"
              class="quiet small"
              aria-label={t("arithmetic.minus", { name })}
              onClick={() => onTerm("-", name)}
            >
              −
            </button>
            {name}
            <button
              type="button"
              class="quiet small"
              aria-label={t("arithmetic.plus", { name })}
              onClick={() => onTerm("+", name)}
            >
              +
            </button>
          </span>
        ))}
      </div>
    </div>
  );
}
