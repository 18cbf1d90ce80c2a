/** A scatter plot of samples with a cross that follows the pointer and the arrow keys. */

import { useEffect, useRef } from "preact/hooks";

import type { Point } from "../../state/plane";
import { drawScatter } from "./draw-scatter";

/** Of the plot, in standard deviations of the axes. */
export const EXTENT = 3.2;
const STEP = 0.1;
const SNAP_PIXELS = 9;
const MOVES: Record<string, Point> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, STEP],
  ArrowDown: [0, -STEP],
};

interface Props {
  points: readonly Point[];
  /** A number for each point that becomes its colour; undefined for one colour. */
  values: readonly number[] | undefined;
  cross: Point;
  label: string;
  /** The index of the sample at the pointer, if there is one. */
  onCross: (point: Point, sample: number | undefined) => void;
}

export function Scatter({ points, values, cross, label, onCross }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    const element = canvas.current!;
    const draw = () => drawScatter(element, points, values, cross, EXTENT);
    draw();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const observer = new ResizeObserver(draw);
    observer.observe(element);
    dark.addEventListener("change", draw);
    return () => {
      observer.disconnect();
      dark.removeEventListener("change", draw);
    };
  }, [points, values, cross]);

  function follow(event: PointerEvent): void {
    const { left, top, width, height } = canvas.current!.getBoundingClientRect();
    const scale = (2 * EXTENT) / width;
    const point: Point = [
      (event.clientX - left) * scale - EXTENT,
      (top + height - event.clientY) * ((2 * EXTENT) / height) - EXTENT,
    ];
    const near = nearest(points, point, SNAP_PIXELS * scale);
    onCross(near === undefined ? point : points[near]!, near);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    onCross([clamp(cross[0] + move[0]), clamp(cross[1] + move[1])], undefined);
  }

  return (
    <canvas
      ref={canvas}
      class="scatter"
      role="img"
      aria-label={label}
      tabIndex={0}
      onPointerMove={follow}
      onPointerDown={follow}
      onKeyDown={onKeyDown}
    />
  );
}

function clamp(value: number): number {
  return Math.min(EXTENT, Math.max(-EXTENT, value));
}

/** The index of the point nearest to `at`, if it is within `distance`. */
function nearest(points: readonly Point[], at: Point, distance: number): number | undefined {
  let found: number | undefined;
  let least = distance;
  points.forEach(([x, y], index) => {
    const away = Math.hypot(x - at[0], y - at[1]);
    if (away < least) [found, least] = [index, away];
  });
  return found;
}
