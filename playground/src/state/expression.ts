/** Expressions such as `men - women + her` or `me + 1.5*glasses(worn)`. */

export interface Term {
  weight: number;
  name: string;
  /** The operands whose own variation a direction has, as in `glasses(worn)`. */
  argument?: string;
}

const TERM = /^\s*(?:(\d+(?:\.\d*)?|\.\d+)\s*\*\s*)?([A-Za-z]\w*)\s*(?:\(\s*([A-Za-z]\w*)\s*\))?/;
const SIGN = /^\s*([+-])/;

/** The terms of an expression, or undefined where the service would refuse it. */
export function parseExpression(text: string): Term[] | undefined {
  const terms: Term[] = [];
  let rest = text;
  while (rest.trim()) {
    const sign = SIGN.exec(rest);
    if (!sign && terms.length > 0) return undefined;
    rest = rest.slice(sign?.[0].length ?? 0);
    const match = TERM.exec(rest);
    if (!match) return undefined;
    const weight = (sign?.[1] === "-" ? -1 : 1) * Number(match[1] ?? 1);
    terms.push({ weight, name: match[2]!, ...(match[3] ? { argument: match[3] } : {}) });
    rest = rest.slice(match[0].length);
  }
  return terms.length > 0 ? terms : undefined;
}

/** A number with at most two decimals, as in an expression. */
export function formatWeight(weight: number): string {
  return String(Math.round(Math.abs(weight) * 100) / 100);
}

/** One term with its sign, such as `+ 1.5*glasses`. */
export function formatTerm(term: Term): string {
  const size = formatWeight(term.weight);
  const name = term.argument ? `${term.name}(${term.argument})` : term.name;
  return `${term.weight < 0 ? "-" : "+"} ${size === "1" ? "" : `${size}*`}${name}`;
}

/** `subject` with directions in their weights: `me + 1.5*glasses - 0.5*age`. */
export function editExpression(subject: string, weights: Record<string, number>): string {
  const terms = Object.entries(weights).filter(([, weight]) => formatWeight(weight) !== "0");
  return [subject, ...terms.map(([name, weight]) => formatTerm({ name, weight }))].join(" ");
}
