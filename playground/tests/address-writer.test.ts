import assert from "node:assert/strict";
import { test } from "node:test";

import { AddressWriter } from "../src/state/address-writer";

test("only the last fragment is written, a moment later or when it is flushed", async () => {
  const written: string[] = [];
  const writer = new AddressWriter((fragment) => written.push(fragment));
  writer.schedule("#a");
  writer.schedule("#b");
  assert.deepEqual(written, []);
  writer.flush();
  writer.flush();
  assert.deepEqual(written, ["#b"]);
  writer.schedule("#c");
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(written, ["#b", "#c"]);
});
