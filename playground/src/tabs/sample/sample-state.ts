/** The state of the tab Sample: which faces the wall shows. */

import { numberParam } from "../../state/location";

export const COUNTS = [12, 24, 48] as const;
const TEMPERATURES = [0, 2] as const;

export interface SampleState {
  /** Of the first face; the others count up. */
  seed: number;
  count: number;
  temperature: number;
  prior: "fitted" | "standard";
}

const FIRST: SampleState = { seed: 75, count: 24, temperature: 1, prior: "fitted" };

export function readSample(params: URLSearchParams): SampleState {
  const seed = numberParam(params, "seed", FIRST.seed, [0, Number.MAX_SAFE_INTEGER]);
  const count = Number(params.get("n"));
  return {
    seed: Math.floor(seed),
    count: COUNTS.find((known) => known === count) ?? FIRST.count,
    temperature: numberParam(params, "temperature", FIRST.temperature, TEMPERATURES),
    prior: params.get("prior") === "standard" ? "standard" : FIRST.prior,
  };
}

export function writeSample(state: SampleState): URLSearchParams {
  const params = new URLSearchParams({ seed: String(state.seed) });
  if (state.count !== FIRST.count) params.set("n", String(state.count));
  if (state.temperature !== FIRST.temperature) {
    params.set("temperature", String(state.temperature));
  }
  if (state.prior !== FIRST.prior) params.set("prior", state.prior);
  return params;
}
