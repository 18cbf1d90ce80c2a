import assert from "node:assert/strict";
import { test } from "node:test";

import { editExpression, formatTerm, parseExpression } from "../src/state/expression";

test("a sum is its terms", () => {
  assert.deepEqual(parseExpression("men - women + 1.5*her"), [
    { weight: 1, name: "men" },
    { weight: -1, name: "women" },
    { weight: 1.5, name: "her" },
  ]);
  assert.deepEqual(parseExpression("- .5 * a+glasses( worn )"), [
    { weight: -0.5, name: "a" },
    { weight: 1, name: "glasses", argument: "worn" },
  ]);
});

for (const text of ["", "  ", "a b", "a +", "2a", "a ++ b", "a*2", "(a)", "a - glasses("]) {
  test(`${JSON.stringify(text)} is not complete`, () => {
    assert.equal(parseExpression(text), undefined);
  });
}

test("a term is written as the service reads it", () => {
  assert.equal(formatTerm({ weight: -1.25, name: "age" }), "- 1.25*age");
  assert.equal(formatTerm({ weight: 1, name: "glasses", argument: "worn" }), "+ glasses(worn)");
});

test("an edit has the directions whose weight is not 0, rounded to hundredths", () => {
  const weights = { glasses: 1.5, male: 0, age: -0.30000000000000004, young: 0.001 };
  assert.equal(editExpression("me", weights), "me + 1.5*glasses - 0.3*age");
  assert.equal(editExpression("me", {}), "me");
});
