/** A short message, read out by screen readers and shown for a moment. */

import { useEffect } from "preact/hooks";

const SHOWN_MS = 4000;

export function Toast({ text, onDone }: { text: string; onDone: () => void }) {
  useEffect(() => {
    if (!text) return;
    const timer = setTimeout(onDone, SHOWN_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div class={text ? "toast shown" : "toast"} role="status" aria-live="polite">
      {text}
    </div>
  );
}
