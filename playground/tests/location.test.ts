import assert from "node:assert/strict";
import { test } from "node:test";

import { fragmentOf, numberParam, parseFragment, seedsParam } from "../src/state/location";

test("a fragment names a tab and its parameters", () => {
  const { tab, params } = parseFragment("#morph?seeds=3,4&at=0.5");
  assert.equal(tab, "morph");
  assert.deepEqual(seedsParam(params, "seeds"), [3, 4]);
  assert.equal(numberParam(params, "at", 0, [0, 1]), 0.5);
});

test("without a known tab it is the first", () => {
  for (const fragment of ["", "#", "#nothing?seed=1"]) {
    assert.equal(parseFragment(fragment).tab, "edit");
  }
});

test("it is read as it was written", () => {
  const params = new URLSearchParams({ expression: "a - b + 1.5*c", "g.a": "1,2" });
  const read = parseFragment(fragmentOf({ tab: "arithmetic", params }));
  assert.equal(read.tab, "arithmetic");
  assert.equal(read.params.get("expression"), "a - b + 1.5*c");
  assert.deepEqual(seedsParam(read.params, "g.a"), [1, 2]);
});

test("what is no number in the range is left out", () => {
  for (const text of ["", "x", "2.1", "-1", "NaN", "Infinity"]) {
    const params = new URLSearchParams({ value: text });
    assert.equal(numberParam(params, "value", 0.25, [0, 2]), 0.25);
  }
  assert.equal(numberParam(new URLSearchParams(), "value", 0.25, [0, 2]), 0.25);
});

test("what is no seed is left out", () => {
  const params = new URLSearchParams({ seeds: "1,-2,x,,3.5,99999999999999999999,7" });
  assert.deepEqual(seedsParam(params, "seeds"), [1, 7]);
});
