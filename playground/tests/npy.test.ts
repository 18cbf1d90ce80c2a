import assert from "node:assert/strict";
import { test } from "node:test";

import { readNpy } from "../src/api/npy";

/** A file of NumPy's format, version 1. */
function npy(header: string, values: number[]): ArrayBuffer {
  const text = `${header}`.padEnd(117) + "\n";
  const start = [0x93, ...Buffer.from("NUMPY"), 1, 0, text.length & 255, text.length >> 8];
  const body = Buffer.from(new Float32Array(values).buffer);
  const bytes = Buffer.concat([Buffer.from(start), Buffer.from(text), body]);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
}

test("rows of float32", () => {
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  assert.deepEqual(readNpy(npy(header, [1, 2, 3, 4, 5, 0.5])), [
    [1, 2, 3],
    [4, 5, 0.5],
  ]);
});

for (const header of [
  "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }",
  "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }",
  "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
]) {
  test(`${header} is refused`, () => {
    assert.throws(() => readNpy(npy(header, [1, 2])), /float32 array of two dimensions/);
  });
}

test("another file is refused", () => {
  assert.throws(() => readNpy(new ArrayBuffer(4)), /not an .npy file/);
  assert.throws(() => readNpy(new ArrayBuffer(64)), /not an .npy file/);
});
