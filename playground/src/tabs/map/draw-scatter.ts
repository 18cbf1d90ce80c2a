/** Drawing of the scatter plot on a canvas. */

import type { Point } from "../../state/plane";

const RADIUS = 4;
/** From low to high values; people with any colour vision tell the ends apart. */
const COLORS = [
  [38, 104, 190],
  [176, 176, 180],
  [222, 112, 12],
] as const;

/** The colour of a value from 0 to 1. */
export function colorOf(value: number): string {
  const position = value * (COLORS.length - 1);
  const index = Math.min(COLORS.length - 2, Math.floor(position));
  const [from, to] = [COLORS[index]!, COLORS[index + 1]!];
  const channels = from.map((low, i) => Math.round(low + (position - index) * (to[i]! - low)));
  return `rgb(${channels.join(" ")})`;
}

/** Values as fractions of the range that most of them are in. */
export function normalised(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  const low = sorted[Math.floor(0.05 * sorted.length)] ?? 0;
  const high = sorted[Math.ceil(0.95 * sorted.length) - 1] ?? 1;
  return values.map((value) => Math.min(1, Math.max(0, (value - low) / (high - low || 1))));
}

/** Draw everything at the resolution of the screen. */
export function drawScatter(
  canvas: HTMLCanvasElement,
  points: readonly Point[],
  values: readonly number[] | undefined,
  cross: Point,
  extent: number,
): void {
  const ratio = devicePixelRatio;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const toX = (x: number) => ((x + extent) / (2 * extent)) * width;
  const toY = (y: number) => height - ((y + extent) / (2 * extent)) * height;

  context.strokeStyle = style.getPropertyValue("--line");
  line(context, toX(0), 0, toX(0), height);
  line(context, 0, toY(0), width, toY(0));

  const fractions = values && normalised(values);
  context.globalAlpha = 0.8;
  points.forEach(([x, y], i) => {
    context.fillStyle = fractions ? colorOf(fractions[i]!) : style.getPropertyValue("--accent");
    context.beginPath();
    context.arc(toX(x), toY(y), RADIUS, 0, 2 * Math.PI);
    context.fill();
  });

  context.globalAlpha = 1;
  context.strokeStyle = style.color;
  context.lineWidth = 2;
  const [x, y] = [toX(cross[0]), toY(cross[1])];
  line(context, x - 9, y, x + 9, y);
  line(context, x, y - 9, x, y + 9);
}

function line(
  context: CanvasRenderingContext2D,
  ...[x1, y1, x2, y2]: [number, number, number, number]
): void {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}
