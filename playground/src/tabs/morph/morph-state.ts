/** The state of the tab Morph: the path through pictures, and where on it one looks. */

import type { InterpolateFields } from "../../api/types";
import { numberParam, seedsParam } from "../../state/location";
import type { Picture } from "../../state/pictures";

/** Of the slider: seven intervals of nine, so that the strip of eight is among them. */
export const FRAMES = 64;
export const STRIP_STRIDE = 9;
export const METHODS = ["slerp", "lerp"] as const;
export const EASINGS = ["linear", "ease-in", "ease-out", "ease-in-out"] as const;
const FIRST_PATH = [24, 45];

export interface MorphOptions {
  method: (typeof METHODS)[number];
  easing: (typeof EASINGS)[number];
}

export interface MorphState extends MorphOptions {
  /** Index of the frame that is shown. */
  frame: number;
}

export function readMorph(params: URLSearchParams): MorphState & { seeds: number[] } {
  const seeds = seedsParam(params, "seeds");
  return {
    seeds: seeds.length >= 2 ? seeds : FIRST_PATH,
    frame: Math.round(numberParam(params, "at", 0.5, [0, 1]) * (FRAMES - 1)),
    method: METHODS.find((known) => known === params.get("method")) ?? METHODS[0],
    easing: EASINGS.find((known) => known === params.get("easing")) ?? EASINGS[0],
  };
}

/** The address of a state; a path with a photograph has no place in it. */
export function writeMorph(state: MorphState, path: readonly Picture[]): URLSearchParams {
  const params = new URLSearchParams();
  const seeds = path.map(({ seed, sampling }) => (sampling ? undefined : seed));
  if (seeds.every((seed) => seed !== undefined)) params.set("seeds", seeds.join(","));
  params.set("at", (state.frame / (FRAMES - 1)).toFixed(3));
  if (state.method !== METHODS[0]) params.set("method", state.method);
  if (state.easing !== EASINGS[0]) params.set("easing", state.easing);
  return params;
}

/** The request for a path of at least two pictures. */
export function pathFields(
  path: readonly Picture[],
  { method, easing }: MorphOptions,
  steps: number,
): InterpolateFields {
  const operands = path.map(({ latent }) => ({ latent }));
  const via = operands.slice(1, -1);
  return { start: operands[0]!, via, end: operands.at(-1)!, steps, method, easing };
}
