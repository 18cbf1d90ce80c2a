import assert from "node:assert/strict";
import { test } from "node:test";

import type { Picture } from "../src/state/pictures";
import {
  answerCommand,
  answerFields,
  freeName,
  readArithmetic,
  renamed,
  withTerm,
  writeArithmetic,
} from "../src/tabs/arithmetic/arithmetic-state";

function sample(seed: number): Picture {
  return { id: String(seed), seed, file: new Blob(), url: "", latent: [seed] };
}

const GROUPS = [
  { name: "worn", pictures: [sample(1), sample(2)] },
  { name: "her", pictures: [sample(3)] },
  { name: "empty", pictures: [] },
];

test("only the groups that the expression names are sent", () => {
  assert.deepEqual(answerFields({ expression: "her + glasses(worn)", groups: GROUPS }), {
    expression: "her + glasses(worn)",
    operands: { worn: [{ latent: [1] }, { latent: [2] }], her: [{ latent: [3] }] },
  });
  const fields = answerFields({ expression: "her + empty", groups: GROUPS });
  assert.deepEqual(fields?.operands, { her: [{ latent: [3] }] });
});

test("an incomplete expression is not sent", () => {
  assert.equal(answerFields({ expression: "her +", groups: GROUPS }), undefined);
});

test("an address is read as it was written", () => {
  const params = writeArithmetic({ expression: "worn - her", groups: GROUPS });
  assert.deepEqual(readArithmetic(params), {
    expression: "worn - her",
    seeds: [
      ["worn", [1, 2]],
      ["her", [3]],
      ["empty", []],
    ],
  });
  assert.deepEqual(
    readArithmetic(new URLSearchParams()).seeds.map(([name]) => name),
    ["worn", "bare", "her"],
  );
});

test("terms are added at the end", () => {
  assert.equal(withTerm("", "+", "a"), "a");
  assert.equal(withTerm("a ", "-", "b"), "a - b");
});

test("a group is renamed in the expression, and nothing else", () => {
  assert.equal(renamed("a - aa + glasses(a)", "a", "men"), "men - aa + glasses(men)");
});

test("a new group has a name that is free", () => {
  assert.equal(freeName([{ name: "a", pictures: [] }]), "b");
});

test("the command sends seeds", () => {
  const command = answerCommand({ expression: "her", groups: GROUPS }, "http://host/x", false);
  assert.equal(
    command.replaceAll(" \\\n  ", " "),
    `curl -s http://host/x -F expression=her -F 'her={"seed":3}' -o answer.png`,
  );
});
