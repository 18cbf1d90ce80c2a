/** The sliders of the tab Edit, with undo, redo and reset. */

import { signed, Slider } from "../../components/slider";
import { directionName } from "../../i18n";
import { usePage } from "../../page";
import { pushed, redone, undone, type History } from "../../state/history";
import { unedited, WEIGHTS, withWeight, type EditState } from "./edit-state";

interface Props {
  state: EditState;
  history: History<EditState>;
  onInput: (state: EditState) => void;
  onSettled: () => void;
  onHistory: (update: (history: History<EditState>) => History<EditState>) => void;
}

export function Controls({ state, history, onInput, onSettled, onHistory }: Props) {
  const { t, directions, model } = usePage();
  const [min, max] = WEIGHTS;
  return (
    <div class="controls">
      <fieldset>
        <legend>{t("edit.directions")}</legend>
        {directions.length === 0 && <p class="hint">{t("edit.noDirections")}</p>}
        {directions.map(({ name, saved }) => (
          <Slider
            key={name}
            label={directionName(t, name)}
            badge={saved ? t("edit.saved") : undefined}
            min={min}
            max={max}
            step={0.05}
            value={state.weights[name] ?? 0}
            rest={0}
            format={signed}
            onInput={(weight) => onInput(withWeight(state, name, weight))}
            onChange={onSettled}
          />
        ))}
      </fieldset>
      <fieldset>
        <legend>{t("edit.options")}</legend>
        {model.max_detail > 0 && (
          <Slider
            label={t("edit.detail")}
            hint={t("edit.detailHint")}
            min={0}
            max={model.max_detail}
            step={0.05}
            value={state.detail}
            onInput={(detail) => onInput({ ...state, detail })}
            onChange={onSettled}
          />
        )}
        <Slider
          label={t("edit.preserve")}
          hint={t("edit.preserveHint")}
          min={0}
          max={1}
          step={0.05}
          value={state.preserve}
          onInput={(preserve) => onInput({ ...state, preserve })}
          onChange={onSettled}
        />
      </fieldset>
      <div class="row">
        <button
          type="button"
          disabled={history.past.length === 0}
          onClick={() => onHistory(undone)}
        >
          {t("edit.undo")}
        </button>
        <button
          type="button"
          disabled={history.future.length === 0}
          onClick={() => onHistory(redone)}
        >
          {t("edit.redo")}
        </button>
        <button
          type="button"
          onClick={() => onHistory((before) => pushed(before, unedited(model)))}
        >
          {t("edit.reset")}
        </button>
      </div>
    </div>
  );
}
