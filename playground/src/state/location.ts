/**
 * The state of the page in its address, so that a link shows what was seen.
 *
 * It is in the fragment, `#edit?seed=11&w.glasses=1.5`, which browsers do not send to the server.
 */

export const TABS = ["edit", "sample", "morph", "arithmetic", "map"] as const;
export type Tab = (typeof TABS)[number];

export interface PageLocation {
  tab: Tab;
  params: URLSearchParams;
}

/** The location of a fragment; the first tab if it names none. */
export function parseFragment(fragment: string): PageLocation {
  const [name, query] = fragment.replace(/^#/, "").split("?", 2);
  const tab = TABS.find((known) => known === name) ?? TABS[0];
  return { tab, params: new URLSearchParams(query ?? "") };
}

export function fragmentOf({ tab, params }: PageLocation): string {
  const query = params.toString();
  return query ? `#${tab}?${query}` : `#${tab}`;
}

/** A number of the address, `fallback` where it is absent or out of range. */
export function numberParam(
  params: URLSearchParams,
  name: string,
  fallback: number,
  [min, max]: readonly [number, number],
): number {
  const text = params.get(name);
  const value = text === null || text.trim() === "" ? NaN : Number(text);
  return value >= min && value <= max ? value : fallback;
}

/** Whole numbers separated by commas, such as seeds; others are left out. */
export function seedsParam(params: URLSearchParams, name: string): number[] {
  const parts = (params.get(name) ?? "").split(",").filter((part) => /^\d+$/.test(part));
  return parts.map(Number).filter(Number.isSafeInteger);
}
