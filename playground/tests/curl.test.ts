import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { curlCommand, shellWord } from "../src/state/curl";

test("a shell reads a word as it was", () => {
  for (const word of ["plain", "two words", "it's", 'a "quote"', "$HOME `x` \\", "a\nb", ""]) {
    const read = execFileSync("sh", ["-c", `printf %s ${shellWord(word)}`]).toString();
    assert.equal(read, word);
  }
});

test("a command has the form, and the key by its variable only", () => {
  const command = curlCommand({
    address: "http://localhost:8000/arithmetic?format=png",
    withKey: true,
    form: [
      ["expression", "me + 1.5*glasses"],
      ["me", "@my photo.jpg"],
    ],
    output: "edited.png",
  });
  assert.equal(
    command.replaceAll(" \\\n  ", " "),
    "curl -s 'http://localhost:8000/arithmetic?format=png' " +
      '-H "Authorization: Bearer $KEY" ' +
      "-F 'expression=me + 1.5*glasses' -F 'me=@my photo.jpg' -o edited.png",
  );
});
