import assert from "node:assert/strict";
import { test } from "node:test";

import { errorKey, preferredLanguage, translator } from "../src/i18n";
import { en } from "../src/i18n/en";
import { zh } from "../src/i18n/zh";

test("the first known language of the browser is used", () => {
  assert.equal(preferredLanguage(["fr-FR", "zh-CN", "en"]), "zh");
  assert.equal(preferredLanguage(["en-GB", "zh"]), "en");
  assert.equal(preferredLanguage(["fr"]), "en");
  assert.equal(preferredLanguage([]), "en");
});

test("a text has its values", () => {
  assert.equal(translator("en")("shelf.edit", { name: "me.jpg" }), "Edit me.jpg");
});

test("both languages have the same values in every text", () => {
  const names = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const key of Object.keys(en) as Array<keyof typeof en>) {
    assert.deepEqual(names(zh[key]), names(en[key]), key);
    assert.ok(zh[key].trim(), key);
  }
});

test("an error without a text of its own has a general one", () => {
  assert.equal(errorKey("no-face-found"), "error.no-face-found");
  assert.equal(errorKey("something-new"), "error.unknown");
});
