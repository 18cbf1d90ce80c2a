/** States that can be undone and redone; every value is a new object. */

export interface History<State> {
  readonly past: readonly State[];
  readonly present: State;
  readonly future: readonly State[];
}

const MAX_STEPS = 100;

export function historyOf<State>(present: State): History<State> {
  return { past: [], present, future: [] };
}

/** A new present, after which the old one can be returned to. */
export function pushed<State>(history: History<State>, next: State): History<State> {
  const past = [...history.past, history.present].slice(-MAX_STEPS);
  return { past, present: next, future: [] };
}

/** Another present in place of the old one, as while a slider moves. */
export function replaced<State>(history: History<State>, next: State): History<State> {
  return { ...history, present: next };
}

export function undone<State>(history: History<State>): History<State> {
  const previous = history.past.at(-1);
  if (previous === undefined) return history;
  return {
    past: history.past.slice(0, -1),
    present: previous,
    future: [history.present, ...history.future],
  };
}

export function redone<State>(history: History<State>): History<State> {
  const [next, ...future] = history.future;
  if (next === undefined) return history;
  return { past: [...history.past, history.present], present: next, future };
}
