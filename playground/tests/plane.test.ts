import assert from "node:assert/strict";
import { test } from "node:test";

import { latentAt, meanOf, normalQuantiles, pointOf, stepsAlong } from "../src/state/plane";

const plane = {
  origin: [1, 1, 1],
  axes: [
    [2, 0, 0],
    [0, 0.5, 0],
  ] as const,
};

function near(found: number, expected: number, tolerance = 1e-9): void {
  assert.ok(Math.abs(found - expected) <= tolerance, `${found} is not near ${expected}`);
}

test("a point is a latent, and a latent its nearest point", () => {
  const axes: readonly [number[], number[]] = [[...plane.axes[0]], [...plane.axes[1]]];
  const latent = latentAt({ ...plane, axes }, [1.5, -2]);
  assert.deepEqual(latent, [4, 0, 1]);
  assert.deepEqual(pointOf({ ...plane, axes }, [4, 0, 9]), [1.5, -2]);
});

test("steps along a direction are counted from the origin", () => {
  const axes: readonly [number[], number[]] = [
    [1, 0, 0],
    [0, 1, 0],
  ];
  near(stepsAlong({ origin: plane.origin, axes }, [0, 3, 4], [1, 4, 5]), 1);
});

test("the mean is that of each dimension", () => {
  assert.deepEqual(
    meanOf([
      [1, 2],
      [3, 6],
    ]),
    [2, 4],
  );
});

test("quantiles of the normal distribution", () => {
  const quantiles = normalQuantiles(8);
  // scipy.stats.norm.ppf([1/16, 3/16, 5/16, 7/16])
  const expected = [-1.534121, -0.887147, -0.488776, -0.157311];
  expected.forEach((value, i) => {
    near(quantiles[i]!, value, 1e-5);
    near(quantiles[7 - i]!, -value, 1e-5);
  });
});
