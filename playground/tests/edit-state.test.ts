import assert from "node:assert/strict";
import { File as NodeFile } from "node:buffer";
import { test } from "node:test";

import type { Model } from "../src/api/types";
import type { Picture } from "../src/state/pictures";
import {
  cropFields,
  editCommand,
  fullFields,
  readEdit,
  unedited,
  writeEdit,
} from "../src/tabs/edit/edit-state";

const MODEL = { max_detail: 1, directions: ["age", "glasses"] } as Model;
const CROP = new Blob(["crop"]);
const SAMPLE: Picture = { id: "1", seed: 7, file: CROP, url: "", latent: [0] };
// Node 18 has no global of this name.
const FILE = new NodeFile(["photograph"], "me, at home.jpg") as unknown as File;
const PHOTOGRAPH: Picture = {
  id: "2",
  source: { file: FILE, face: 2 },
  label: FILE.name,
  file: CROP,
  url: "",
  latent: [0],
};
const address = (path: string, query: Record<string, string>) =>
  `http://host/${path}?${new URLSearchParams(query)}`;

test("the first visit shows an edit, an address what it says", () => {
  assert.deepEqual(readEdit(new URLSearchParams(), MODEL).weights, { glasses: 1.5 });
  const params = new URLSearchParams("seed=7&w.age=-0.5&w.glasses=9&detail=0.25");
  assert.deepEqual(readEdit(params, MODEL), {
    weights: { age: -0.5, glasses: 0 },
    detail: 0.25,
    preserve: 1,
  });
});

test("an address is read as it was written", () => {
  const state = { weights: { age: -0.5, glasses: 0 }, detail: 0.5, preserve: 0.25 };
  const params = writeEdit(state, SAMPLE, MODEL);
  assert.equal(params.toString(), "seed=7&w.age=-0.5&detail=0.5&preserve=0.25");
  assert.deepEqual(readEdit(params, MODEL), { ...state, weights: { age: -0.5 } });
});

test("a photograph has no place in the address", () => {
  assert.equal(writeEdit(unedited(MODEL), PHOTOGRAPH, MODEL).toString(), "");
});

test("the crop is sent while a slider moves, the photograph for its full size", () => {
  const state = { ...unedited(MODEL), weights: { glasses: 1 } };
  assert.deepEqual(cropFields(PHOTOGRAPH, state), {
    expression: "me + glasses",
    detail: 1,
    preserve: 1,
    me: CROP,
  });
  assert.deepEqual(fullFields(PHOTOGRAPH, state), {
    expression: "me + glasses",
    detail: 1,
    paste: true,
    face: 2,
    me: FILE,
  });
  assert.equal(fullFields(SAMPLE, state).me, CROP);
});

test("the command of a photograph names its file, that of a sample makes it", () => {
  const state = unedited(MODEL);
  const photograph = editCommand(PHOTOGRAPH, state, address, "jpeg", false);
  assert.match(photograph, /-F 'me=@"me, at home.jpg"' \\\n {2}-o edited.jpg$/);
  const sample = editCommand(SAMPLE, state, address, "png", false);
  assert.match(sample, /^curl -s 'http:\/\/host\/sample\?seed=7' \\\n {2}-o me.png\ncurl /);
});
