/** A labelled slider that says its value. */

import { useId } from "preact/hooks";

interface Props {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  /** While it moves. */
  onInput: (value: number) => void;
  /** When it has been let go. */
  onChange?: (() => void) | undefined;
  /** The value as text; with two decimals if absent. */
  format?: ((value: number) => string) | undefined;
  hint?: string | undefined;
  badge?: string | undefined;
  /** The value from which the track is filled, and to which a double click returns. */
  rest?: number | undefined;
}

export function Slider(props: Props) {
  const { label, value, min, max, step, onInput, onChange, hint, badge, rest = min } = props;
  const percent = (at: number) => `${(100 * (at - min)) / (max - min)}%`;
  const id = useId();
  const text = props.format?.(value) ?? value.toFixed(2);
  return (
    <div class="slider">
      <span>
        <label for={id}>{label}</label>
        {badge && <span class="badge">{badge}</span>}
      </span>
      <output for={id}>{text}</output>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={text}
        aria-describedby={hint ? `${id}-hint` : undefined}
        style={{ "--from": percent(Math.min(value, rest)), "--to": percent(Math.max(value, rest)) }}
        onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
        onChange={onChange}
        onDblClick={() => {
          if (props.rest === undefined) return;
          onInput(rest);
          onChange?.();
        }}
      />
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

/** A weight with its sign, such as `+1.50`. */
export function signed(value: number): string {
  const text = Math.abs(value).toFixed(2);
  return value > 0 ? `+${text}` : value < 0 ? `−${text}` : text;
}
