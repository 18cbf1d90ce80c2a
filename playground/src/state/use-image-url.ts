/** Addresses of images that a component shows one after the other. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

/** The address of the last image that was set, and the function that sets one. */
export function useImageUrl(): [string | undefined, (image: Blob | undefined) => void] {
  const [url, setUrl] = useState<string>();
  const held = useRef<string | undefined>(undefined);
  const set = useCallback((image: Blob | undefined) => {
    if (held.current) URL.revokeObjectURL(held.current);
    held.current = image && URL.createObjectURL(image);
    setUrl(held.current);
  }, []);
  useEffect(() => () => set(undefined), [set]);
  return [url, set];
}
