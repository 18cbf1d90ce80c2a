/** A plane in the latent space: coordinates on it, and the latents that they stand for. */

import type { Latent } from "../api/types";

export type Point = readonly [number, number];

/** The plane through `origin` that two orthogonal axes span. */
export interface Plane {
  origin: Latent;
  axes: readonly [Latent, Latent];
}

/** The latent at a point of the plane. */
export function latentAt({ origin, axes: [a, b] }: Plane, [x, y]: Point): Latent {
  return origin.map((value, i) => value + x * a[i]! + y * b[i]!);
}

/** The point nearest to a latent, in lengths of the axes. */
export function pointOf({ origin, axes }: Plane, latent: Latent): Point {
  const offset = latent.map((value, i) => value - origin[i]!);
  const along = (axis: Latent) => dot(offset, axis) / (dot(axis, axis) || 1);
  return [along(axes[0]), along(axes[1])];
}

/** How many steps of a direction a latent is away from the origin. */
export function stepsAlong({ origin }: Plane, direction: Latent, latent: Latent): number {
  const offset = latent.map((value, i) => value - origin[i]!);
  return dot(offset, direction) / (dot(direction, direction) || 1);
}

/** The mean of latents of the same length. */
export function meanOf(latents: readonly Latent[]): Latent {
  const sum = latents[0]!.map(() => 0);
  for (const latent of latents) latent.forEach((value, i) => (sum[i]! += value));
  return sum.map((value) => value / latents.length);
}

/**
 * The values below which a normal variable is with the probabilities 1/(2n), 3/(2n), and so on.
 *
 * By bisection of the distribution function, for which Abramowitz and Stegun, 7.1.26, is used.
 */
export function normalQuantiles(n: number): number[] {
  return Array.from({ length: n }, (_, i) => quantile((2 * i + 1) / (2 * n)));
}

function quantile(probability: number): number {
  let [low, high] = [-8, 8];
  for (let i = 0; i < 50; i += 1) {
    const middle = (low + high) / 2;
    if (normalDistribution(middle) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function normalDistribution(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const coefficients = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];
  const series = coefficients.reduceRight((sum, coefficient) => t * (coefficient + sum), 0);
  const erf = 1 - series * Math.exp(-z * z);
  return x < 0 ? (1 - erf) / 2 : (1 + erf) / 2;
}

function dot(a: Latent, b: Latent): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
