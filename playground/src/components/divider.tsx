/** Two pictures of the same size under a divider that can be dragged. */

import { useState } from "preact/hooks";

interface Props {
  before: string;
  after: string | undefined;
  beforeLabel: string;
  afterLabel: string;
  beforeAlt: string;
  afterAlt: string;
  dividerLabel: string;
  busy: boolean;
  /** Called when a new picture is shown on the right. */
  onShown?: (() => void) | undefined;
}

export function Divider(props: Props) {
  const [position, setPosition] = useState(50);
  const after = props.after ?? props.before;
  return (
    <figure class="divider" aria-busy={props.busy}>
      <img class="picture" src={props.before} alt={props.beforeAlt} draggable={false} />
      <img
        class="picture over"
        src={after}
        alt={props.afterAlt}
        draggable={false}
        style={{ clipPath: `inset(0 0 0 ${position}%)` }}
        onLoad={props.onShown}
      />
      <span class="divider-line" aria-hidden="true" style={{ left: `${position}%` }} />
      <span class="tag left" aria-hidden="true" hidden={position < 12}>
        {props.beforeLabel}
      </span>
      <span class="tag right" aria-hidden="true" hidden={position > 88}>
        {props.afterLabel}
      </span>
      <input
        type="range"
        min="0"
        max="100"
        step="1"
        value={position}
        aria-label={props.dividerLabel}
        aria-valuetext={`${position} %`}
        onInput={(event) => setPosition(event.currentTarget.valueAsNumber)}
      />
    </figure>
  );
}
