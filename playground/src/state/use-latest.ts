/** `LatestRequests` for a component, which cancels them when it goes. */

import { useEffect, useMemo, useRef } from "preact/hooks";

import { LatestRequests } from "./latest";

export function useLatest<Input, Output>(
  run: (input: Input, signal: AbortSignal) => Promise<Output>,
  show: (output: Output, input: Input, isNewest: boolean) => void,
  fail: (error: unknown) => void,
): LatestRequests<Input, Output> {
  const current = useRef({ run, show, fail });
  current.current = { run, show, fail };
  const requests = useMemo(
    () =>
      new LatestRequests<Input, Output>(
        (input, signal) => current.current.run(input, signal),
        (output, input, isNewest) => current.current.show(output, input, isNewest),
        (error) => current.current.fail(error),
      ),
    [],
  );
  useEffect(() => () => requests.cancel(), [requests]);
  return requests;
}
