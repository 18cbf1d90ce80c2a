/** The commands that do the same as the page. */

import type { Query } from "../api/http";

/** A word of a shell command, quoted where that is needed. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

interface Call {
  /** Address with its query. */
  address: string;
  /** Whether the service needs a key, which the command takes from the variable KEY. */
  withKey: boolean;
  method?: string;
  form?: ReadonlyArray<readonly [string, string]>;
  json?: object;
  output?: string;
}

/** One `curl` command, on several lines where it is long. */
export function curlCommand(call: Call): string {
  const parts = [`curl -s ${shellWord(call.address)}`];
  if (call.method) parts[0] = `curl -s -X ${call.method} ${shellWord(call.address)}`;
  if (call.withKey) parts.push('-H "Authorization: Bearer $KEY"');
  for (const [name, value] of call.form ?? []) parts.push(`-F ${shellWord(`${name}=${value}`)}`);
  if (call.json) {
    parts.push("-H 'Content-Type: application/json'");
    parts.push(`-d ${shellWord(JSON.stringify(call.json))}`);
  }
  if (call.output) parts.push(`-o ${shellWord(call.output)}`);
  return parts.join(" \\\n  ");
}

/** The fields of a form that have a value, as text. */
export function formFields(fields: Query): Array<[string, string]> {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, String(value)]);
}
