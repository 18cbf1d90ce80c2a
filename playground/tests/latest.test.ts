import assert from "node:assert/strict";
import { test } from "node:test";

import { LatestRequests } from "../src/state/latest";

/** Requests whose answers the test gives, in any order. */
function harness(secondAfter = 0) {
  const started: string[] = [];
  const aborted: string[] = [];
  const shown: string[] = [];
  const failed: unknown[] = [];
  const answers = new Map<string, (error?: Error) => void>();
  const run = (input: string, signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      started.push(input);
      answers.set(input, (error) => (error ? reject(error) : resolve(input.toUpperCase())));
      signal.addEventListener("abort", () => {
        aborted.push(input);
        reject(new DOMException("aborted", "AbortError"));
      });
    });
  const requests = new LatestRequests<string, string>(
    run,
    (output, _, isNewest) => shown.push(isNewest ? `${output}!` : output),
    (error) => failed.push(error),
    secondAfter,
  );
  const answer = async (input: string, error?: Error) => {
    answers.get(input)!(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { requests, started, aborted, shown, failed, answer };
}

test("at most two requests are in flight, and of those that wait only the newest is sent", async () => {
  const { requests, started, shown, answer } = harness();
  for (const input of ["a", "b", "c", "d"]) requests.request(input);
  assert.deepEqual(started, ["a", "b"]);
  await answer("a");
  assert.deepEqual(started, ["a", "b", "d"]);
  await answer("b");
  await answer("d");
  assert.deepEqual(shown, ["A", "B", "D!"]);
});

test("a second request is sent only beside one that takes long", async () => {
  const { requests, started, shown, answer } = harness(50);
  requests.request("a");
  requests.request("b");
  assert.deepEqual(started, ["a"]);
  await answer("a");
  assert.deepEqual(started, ["a", "b"]);
  requests.request("c");
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.deepEqual(started, ["a", "b", "c"]);
  await answer("c");
  assert.deepEqual(shown, ["A", "C!"]);
});

test("an answer aborts the requests before it", async () => {
  const { requests, aborted, shown, answer } = harness();
  requests.request("a");
  requests.request("b");
  await answer("b");
  assert.deepEqual([aborted, shown], [["a"], ["B!"]]);
  requests.request("c");
  await answer("c");
  assert.deepEqual(shown, ["B!", "C!"]);
});

test("after cancel nothing is shown", async () => {
  const { requests, aborted, shown, failed } = harness();
  for (const input of ["a", "b", "c"]) requests.request(input);
  requests.cancel();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([aborted, shown, failed], [["a", "b"], [], []]);
});

test("only the error of the newest request is reported", async () => {
  const { requests, failed, answer } = harness();
  requests.request("a");
  requests.request("b");
  await answer("a", new Error("old"));
  assert.deepEqual(failed, []);
  const error = new Error("new");
  await answer("b", error);
  assert.deepEqual(failed, [error]);
});
