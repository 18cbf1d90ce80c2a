/** An image that is in memory. */

import { useLayoutEffect } from "preact/hooks";

import { useImageUrl } from "../state/use-image-url";

interface Props {
  /** Undefined for a placeholder of the same size. */
  image: Blob | undefined;
  alt: string;
  class?: string;
}

export function BlobImage({ image, alt, class: name = "picture" }: Props) {
  const [url, setUrl] = useImageUrl();
  useLayoutEffect(() => setUrl(image), [image]);
  if (!url) return <div class={`${name} placeholder`} aria-busy="true" />;
  return <img class={name} src={url} alt={alt} />;
}
