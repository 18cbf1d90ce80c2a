/** The frames of a path, which are decoded anew when the path changes. */

import { useEffect, useRef, useState } from "preact/hooks";

import { usePage } from "../../page";
import { PathFrames } from "../../state/path-frames";
import { blobOfBase64, type Picture } from "../../state/pictures";
import { FRAMES, pathFields, STRIP_STRIDE, type MorphOptions } from "./morph-state";

/**
 * The frames, undefined until their latents are known; the component is drawn again when one more
 * of them is there.
 */
export function usePathFrames(
  path: readonly Picture[],
  { method, easing }: MorphOptions,
): PathFrames | undefined {
  const { service, report } = usePage();
  const [frames, setFrames] = useState<PathFrames>();
  const [, setArrived] = useState(0);
  const current = useRef<PathFrames | undefined>(undefined);

  useEffect(() => {
    if (path.length < 2) return;
    const controller = new AbortController();
    const decode = async (latents: number[][], signal: AbortSignal) =>
      (await service.decodeEach({ latents }, signal)).images.map((text) => blobOfBase64(text));
    service
      .pathLatents(pathFields(path, { method, easing }, FRAMES), controller.signal)
      .then((latents) => {
        const redraw = () => setArrived((count) => count + 1);
        current.current = new PathFrames(latents, STRIP_STRIDE, decode, redraw, report);
        setFrames(current.current);
      })
      .catch(report);
    return () => {
      controller.abort();
      current.current?.stop();
      setFrames(undefined);
    };
  }, [path, method, easing]);

  return frames;
}
