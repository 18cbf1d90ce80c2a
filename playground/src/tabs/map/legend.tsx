/** The label whose direction colours the samples, and what the colours mean. */

import { directionName } from "../../i18n";
import { usePage } from "../../page";

interface Props {
  labels: readonly string[];
  chosen: string | undefined;
  onChoose: (label: string) => void;
}

export function Legend({ labels, chosen, onChoose }: Props) {
  const { t } = usePage();
  if (chosen === undefined) return <p class="hint">{t("map.noLabels")}</p>;
  const name = directionName(t, chosen);
  return (
    <div class="row legend">
      <label class="inline">
        {t("map.color")}
        <select value={chosen} onChange={(event) => onChoose(event.currentTarget.value)}>
          {labels.map((label) => (
            <option key={label} value={label}>
              {directionName(t, label)}
            </option>
          ))}
        </select>
      </label>
      <span>{t("map.low", { name })}</span>
      <span class="color-bar" aria-hidden="true" />
      <span>{t("map.high", { name })}</span>
    </div>
  );
}
