/** The label whose direction colours the samples, and what the colours mean. */

import { usePage } from "../../page";

interface Props {
  labels: readonly string[];
  chosen: string | undefined;
  onChoose: (label: string) => void;
}

export function Legend({ labels, chosen, onChoose }: Props) {
  const { t } = usePage();
  if (chosen === undefined) return <p class="hint">{t("map.noLabels")}</p>;
  return (
    <div class="row legend">
      <label class="inline">
        {t("map.color")}
        <select value={chosen} onChange={(event) => onChoose(event.currentTarget.value)}>
          {labels.map((label) => (
            <option key={label}>{label}</option>
          ))}
        </select>
      </label>
      <span>{t("map.low", { name: chosen })}</span>
      <span class="color-bar" aria-hidden="true" />
      <span>{t("map.high", { name: chosen })}</span>
    </div>
  );
}
