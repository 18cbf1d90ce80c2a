import assert from "node:assert/strict";
import { test } from "node:test";

import { historyOf, pushed, redone, replaced, undone } from "../src/state/history";

test("undo and redo go through the states", () => {
  let history = pushed(pushed(historyOf("a"), "b"), "c");
  history = undone(undone(history));
  assert.equal(history.present, "a");
  assert.equal(undone(history).present, "a");
  history = redone(history);
  assert.equal(history.present, "b");
  assert.equal(redone(redone(history)).present, "c");
});

test("a new state ends what could be redone", () => {
  const history = pushed(undone(pushed(historyOf("a"), "b")), "c");
  assert.equal(redone(history).present, "c");
  assert.equal(undone(history).present, "a");
});

test("a replaced state is no step", () => {
  const history = replaced(pushed(historyOf("a"), "b"), "c");
  assert.equal(history.present, "c");
  assert.equal(undone(history).present, "a");
});

test("at most a hundred steps are kept", () => {
  let history = historyOf(0);
  for (let i = 1; i <= 150; i += 1) history = pushed(history, i);
  assert.equal(history.past.length, 100);
  assert.equal(history.past[0], 50);
});
