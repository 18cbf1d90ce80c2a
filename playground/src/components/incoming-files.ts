/** Image files that are dropped onto the page or pasted into it. */

import { useEffect, useRef, useState } from "preact/hooks";

/**
 * Calls `onFile` with each file while `active`.
 *
 * @returns whether a file is being dragged over the page.
 */
export function useIncomingFiles(active: boolean, onFile: (file: File) => void): boolean {
  const [hovering, setHovering] = useState(false);
  const handler = useRef(onFile);
  handler.current = onFile;

  useEffect(() => {
    if (!active) return;
    const controller = new AbortController();
    const { signal } = controller;
    const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;

    const onDragOver = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setHovering(true);
    };
    const onDragLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setHovering(false);
    };
    const onDrop = (event: DragEvent) => {
      setHovering(false);
      if (!carriesFiles(event)) return;
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) handler.current(file);
    };
    const onPaste = (event: ClipboardEvent) => {
      const file = event.clipboardData?.files[0];
      if (file) handler.current(file);
    };
    document.addEventListener("dragover", onDragOver, { signal });
    document.addEventListener("dragleave", onDragLeave, { signal });
    document.addEventListener("drop", onDrop, { signal });
    document.addEventListener("paste", onPaste, { signal });
    return () => controller.abort();
  }, [active]);

  return hovering;
}
