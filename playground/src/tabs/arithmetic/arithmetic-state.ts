/** The state of the tab Arithmetic: named groups of pictures, and an expression over them. */

import type { ArithmeticFields } from "../../api/types";
import { curlCommand } from "../../state/curl";
import { parseExpression } from "../../state/expression";
import { seedsParam } from "../../state/location";
import type { Picture } from "../../state/pictures";

export const NAME = /^[A-Za-z]\w{0,63}$/;
const GROUP_PREFIX = "g.";
/** A frame goes from one face to another: README has the same. */
const FIRST = "expression=worn+-+bare+%2B+her&g.worn=10,18&g.bare=11,17&g.her=24";

export interface Group {
  name: string;
  pictures: readonly Picture[];
}

export interface ArithmeticState {
  expression: string;
  groups: readonly Group[];
}

/** The expression of an address, and the seeds of each of its groups. */
export function readArithmetic(params: URLSearchParams): {
  expression: string;
  seeds: ReadonlyArray<readonly [string, number[]]>;
} {
  const from = params.has("expression") ? params : new URLSearchParams(FIRST);
  const names = [...from.keys()].filter(
    (name) => name.startsWith(GROUP_PREFIX) && NAME.test(name.slice(GROUP_PREFIX.length)),
  );
  return {
    expression: from.get("expression")!,
    seeds: names.map((name) => [name.slice(GROUP_PREFIX.length), seedsParam(from, name)]),
  };
}

/** The address of a state; of a group's pictures only samples have a place in it. */
export function writeArithmetic({ expression, groups }: ArithmeticState): URLSearchParams {
  const params = new URLSearchParams({ expression });
  for (const { name, pictures } of groups) {
    const seeds = pictures.filter(({ seed, sampling }) => seed !== undefined && !sampling);
    params.set(`${GROUP_PREFIX}${name}`, seeds.map(({ seed }) => seed).join(","));
  }
  return params;
}

/** The groups that an expression names, also in parentheses. */
export function usedGroups({ expression, groups }: ArithmeticState): Group[] {
  const terms = parseExpression(expression) ?? [];
  const names = new Set(terms.flatMap(({ name, argument }) => [name, argument ?? name]));
  return groups.filter(({ name, pictures }) => names.has(name) && pictures.length > 0);
}

/** The request for the image of a state, undefined while its expression is not complete. */
export function answerFields(state: ArithmeticState): ArithmeticFields | undefined {
  if (!parseExpression(state.expression)) return undefined;
  const operands = usedGroups(state).map(({ name, pictures }) => [name, latents(pictures)]);
  return { expression: state.expression, operands: Object.fromEntries(operands) };
}

/** The request for the mean of a group. */
export function meanFields({ pictures }: Group): ArithmeticFields {
  return { expression: "mean", operands: { mean: latents(pictures) } };
}

/** Latents of pictures as operands of a request. */
export function latents(pictures: readonly Picture[]): Array<{ latent: number[] }> {
  return pictures.map(({ latent }) => ({ latent }));
}

/** The command for the answer. */
export function answerCommand(state: ArithmeticState, address: string, withKey: boolean): string {
  const operands = usedGroups(state).flatMap(({ name, pictures }) =>
    pictures.map((picture) => [name, formValue(picture)] as const),
  );
  const form = [["expression", state.expression] as const, ...operands];
  return curlCommand({ address, withKey, form, output: "answer.png" });
}

function formValue({ source, seed, sampling, latent }: Picture): string {
  if (source) return `@${source.file.name}`;
  if (seed !== undefined && !sampling) return JSON.stringify({ seed });
  return JSON.stringify({ latent });
}

/** An expression with one more term; a term of the same name and sign is not merged. */
export function withTerm(expression: string, sign: "+" | "-", name: string): string {
  const before = expression.trim();
  if (!before) return sign === "+" ? name : `- ${name}`;
  return `${before} ${sign} ${name}`;
}

/** A name that no group has yet: `a`, `b`, and so on. */
export function freeName(groups: readonly Group[]): string {
  const taken = new Set(groups.map(({ name }) => name));
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const free = [...letters].find((letter) => !taken.has(letter));
  return free ?? `group_${groups.length + 1}`;
}

/** An expression in which a group has another name. */
export function renamed(expression: string, before: string, after: string): string {
  return expression.replace(new RegExp(`\\b${before}\\b`, "g"), after);
}
