import assert from "node:assert/strict";
import { test } from "node:test";

import { coarseToFine, PathFrames } from "../src/state/path-frames";

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Frames whose latents are their indices; `release` answers the oldest request. */
function harness(count: number, stride: number) {
  const asked: number[][] = [];
  const waiting: Array<() => void> = [];
  const errors: unknown[] = [];
  const decode = (latents: number[][]) =>
    new Promise<Blob[]>((resolve) => {
      asked.push(latents.map(([index]) => index!));
      waiting.push(() => resolve(latents.map(([index]) => new Blob([String(index)]))));
    });
  const latents = Array.from({ length: count }, (_, index) => [index]);
  const frames = new PathFrames(
    latents,
    stride,
    decode,
    () => {},
    (error) => errors.push(error),
  );
  const release = async () => {
    waiting.shift()?.();
    await settled();
  };
  return { frames, asked, release, errors };
}

test("every frame is decoded once, the coarse ones first", () => {
  const order = coarseToFine(64, 9);
  assert.deepEqual(order.slice(0, 8), [0, 9, 18, 27, 36, 45, 54, 63]);
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    Array.from({ length: 64 }, (_, i) => i),
  );
});

test("frames are requested in small groups, two at a time", async () => {
  const { asked, release } = harness(64, 9);
  assert.deepEqual(asked, [
    [0, 9, 18, 27],
    [36, 45, 54, 63],
  ]);
  await release();
  assert.equal(asked.length, 3);
});

test("the frame that is wanted comes next", async () => {
  const { frames, asked, release } = harness(64, 9);
  frames.want(31);
  await release();
  assert.deepEqual(asked[2], [31]);
  assert.equal(frames.at(31), undefined);
});

test("the nearest frame stands in for one that is not there", async () => {
  const { frames, release } = harness(64, 9);
  assert.equal(frames.nearest(5), undefined);
  await release();
  assert.equal(await frames.nearest(8)!.text(), "9");
  assert.equal(await frames.nearest(63)!.text(), "27");
});

test("nothing is requested after stop", async () => {
  const { frames, asked, release, errors } = harness(64, 9);
  frames.stop();
  await release();
  assert.deepEqual([asked.length, errors, frames.at(0)], [2, [], undefined]);
});
