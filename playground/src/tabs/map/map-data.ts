/** Samples of the prior on a plane of the latent space, from what the service offers. */

import type { Service } from "../../api/service";
import type { Latent, Model } from "../../api/types";
import { meanOf, pointOf, stepsAlong, type Plane, type Point } from "../../state/plane";

const SAMPLES = 448;
const SAMPLES_PER_REQUEST = 64;

export interface MapData {
  plane: Plane;
  /** Seed of each sample. */
  seeds: number[];
  latents: Latent[];
  points: Point[];
  /** By the name of a label: how many steps of its direction each sample is from the mean. */
  along: Record<string, number[]>;
}

/** The dimensions of a model's latents. */
export function latentDimensions(model: Model): number {
  return Number(model.config["latent_dim"]);
}

/** What the map shows: of a model with two dimensions as it is, else the principal plane. */
export async function loadMap(
  service: Service,
  model: Model,
  labels: readonly string[],
  signal: AbortSignal,
): Promise<MapData> {
  const starts = range(SAMPLES / SAMPLES_PER_REQUEST).map((i) => i * SAMPLES_PER_REQUEST);
  const [axes, directions, ...chunks] = await Promise.all([
    planeAxes(service, model, signal),
    Promise.all(labels.map((label) => displacement(service, model, label, signal))),
    ...starts.map((start) => service.sampleLatents(start, SAMPLES_PER_REQUEST, signal)),
  ]);
  const latents = chunks.flat();
  const origin = isFlat(model) ? [0, 0] : meanOf(latents);
  const plane: Plane = { origin, axes };
  return {
    plane,
    seeds: range(SAMPLES),
    latents,
    points: latents.map((latent) => pointOf(plane, latent)),
    along: Object.fromEntries(
      labels.map((label, i) => [
        label,
        latents.map((latent) => stepsAlong(plane, directions[i]!, latent)),
      ]),
    ),
  };
}

export function isFlat(model: Model): boolean {
  return latentDimensions(model) === 2;
}

async function planeAxes(
  service: Service,
  model: Model,
  signal: AbortSignal,
): Promise<readonly [Latent, Latent]> {
  if (isFlat(model)) {
    return [
      [1, 0],
      [0, 1],
    ];
  }
  const first = await displacement(service, model, 1, signal);
  if (latentDimensions(model) === 1) return [first, [0]];
  return [first, await displacement(service, model, 2, signal)];
}

/** What one step along a direction, or one standard deviation along a principal axis, adds. */
async function displacement(
  service: Service,
  model: Model,
  along: string | number,
  signal: AbortSignal,
): Promise<Latent> {
  const zero = new Array<number>(latentDimensions(model)).fill(0);
  const fields = { operand: { latent: zero }, along, low: 0, high: 1, steps: 2 };
  const [, moved] = await service.traverseLatents(fields, signal);
  return moved!;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
