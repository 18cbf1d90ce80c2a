/** The state of the tab Edit: which directions, how much, and how the picture is drawn. */

import type { FormFields } from "../../api/service";
import type { Model } from "../../api/types";
import { curlCommand, formFields } from "../../state/curl";
import { editExpression } from "../../state/expression";
import { numberParam } from "../../state/location";
import type { Picture } from "../../state/pictures";

export const WEIGHTS = [-2, 2] as const;
const WEIGHT_PREFIX = "w.";

export interface EditState {
  /** Weight of each direction that is not 0. */
  weights: Record<string, number>;
  detail: number;
  preserve: number;
}

/** The state in which nothing is edited. */
export function unedited(model: Model): EditState {
  return { weights: {}, detail: model.max_detail, preserve: 1 };
}

/** The state of an address; without one, an edit that shows what the page is for. */
export function readEdit(params: URLSearchParams, model: Model): EditState {
  const state = unedited(model);
  const names = [...params.keys()].filter((name) => name.startsWith(WEIGHT_PREFIX));
  const weights = Object.fromEntries(
    names.map((name) => [name.slice(WEIGHT_PREFIX.length), numberParam(params, name, 0, WEIGHTS)]),
  );
  const first = model.directions.includes("glasses") ? "glasses" : model.directions[0];
  const isFirstVisit = !params.has("seed") && names.length === 0;
  return {
    weights: isFirstVisit && first ? { [first]: 1.5 } : weights,
    detail: numberParam(params, "detail", state.detail, [0, model.max_detail]),
    preserve: numberParam(params, "preserve", state.preserve, [0, 1]),
  };
}

/** The address of a state. A photograph is never a part of it. */
export function writeEdit(
  state: EditState,
  picture: Picture | undefined,
  model: Model,
): URLSearchParams {
  const params = new URLSearchParams();
  if (picture?.seed !== undefined) params.set("seed", String(picture.seed));
  for (const [name, weight] of Object.entries(state.weights)) {
    if (weight !== 0) params.set(`${WEIGHT_PREFIX}${name}`, String(weight));
  }
  const rest = unedited(model);
  if (state.detail !== rest.detail) params.set("detail", String(state.detail));
  if (state.preserve !== rest.preserve) params.set("preserve", String(state.preserve));
  return params;
}

/** The same state with another weight of one direction. */
export function withWeight(state: EditState, name: string, weight: number): EditState {
  return { ...state, weights: { ...state.weights, [name]: weight } };
}

function edit({ weights, detail }: EditState): FormFields {
  return { expression: editExpression("me", weights), detail };
}

/** The request for the edited crop, which is aligned and carries its latent. */
export function cropFields(picture: Picture, state: EditState): FormFields {
  return { ...edit(state), preserve: state.preserve, me: picture.file };
}

/** The request for the edited photograph at its full size; of a sample, for the crop. */
export function fullFields(picture: Picture, state: EditState): FormFields {
  const { source } = picture;
  if (!source) return cropFields(picture, state);
  return { ...edit(state), paste: true, ...alignment(source.face), me: source.file };
}

/** The command for `fullFields`. */
export function editCommand(
  picture: Picture,
  state: EditState,
  addressOf: (path: string, query: Record<string, string>) => string,
  format: "png" | "jpeg",
  withKey: boolean,
): string {
  const output = `edited.${format === "jpeg" ? "jpg" : "png"}`;
  const { me: _, ...fields } = fullFields(picture, state);
  const file = picture.source ? fileArgument(picture.source.file.name) : "@me.png";
  const form = [...formFields(fields as Record<string, string>), ["me", file] as const];
  const edited = curlCommand({
    address: addressOf("arithmetic", { format }),
    withKey,
    form,
    output,
  });
  if (picture.seed === undefined) return edited;
  const query = { seed: String(picture.seed), ...samplingQuery(picture) };
  const sampled = curlCommand({ address: addressOf("sample", query), withKey, output: "me.png" });
  return `${sampled}\n${edited}`;
}

/** Whether a photograph can be edited in place: with less than all of it kept, it cannot. */
export function canPaste(picture: Picture, state: EditState): boolean {
  return picture.source !== undefined && state.preserve === 1;
}

function alignment(face: number | undefined): FormFields {
  return face === undefined ? { align: false } : { face };
}

function samplingQuery({ sampling }: Picture): Record<string, string> {
  if (!sampling) return {};
  return { temperature: String(sampling.temperature), prior: sampling.prior };
}

/** A file as the value of `curl -F`, which gives commas and semicolons a meaning. */
function fileArgument(name: string): string {
  return /[,;"\\]/.test(name) ? `@"${name.replace(/["\\]/g, "\\$&")}"` : `@${name}`;
}
