/** How a path goes from one picture to the next. */

import { usePage } from "../../page";
import { EASINGS, METHODS, type MorphOptions } from "./morph-state";

interface Props {
  options: MorphOptions;
  onChange: (part: Partial<MorphOptions>) => void;
}

export function PathOptions({ options, onChange }: Props) {
  const { t } = usePage();
  return (
    <div class="options">
      <label class="field">
        {t("morph.method")}
        <select
          value={options.method}
          onChange={({ currentTarget }) =>
            onChange({ method: currentTarget.value as MorphOptions["method"] })
          }
        >
          {METHODS.map((method) => (
            <option key={method} value={method}>
              {t(`morph.${method}`)}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        {t("morph.easing")}
        <select
          value={options.easing}
          onChange={({ currentTarget }) =>
            onChange({ easing: currentTarget.value as MorphOptions["easing"] })
          }
        >
          {EASINGS.map((easing) => (
            <option key={easing} value={easing}>
              {t(`morph.${easing}`)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
