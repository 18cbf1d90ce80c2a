/** The images of a path, decoded in the order in which they are wanted. */

import { isAbort } from "../api/problem";
import type { Latent } from "../api/types";

const MAX_IN_FLIGHT = 2;
const FRAMES_PER_REQUEST = 4;

/** Indices from coarse to fine: both ends first, then every gap is divided again and again. */
export function coarseToFine(count: number, stride: number): number[] {
  const order: number[] = [];
  const seen = new Set<number>();
  for (let step = stride; step >= 1; step = step === 1 ? 0 : Math.ceil(step / 3)) {
    for (let index = 0; index < count; index += step) {
      if (!seen.has(index)) order.push(index);
      seen.add(index);
    }
  }
  return order;
}

/** Decodes frames ahead, those that are asked for first. */
export class PathFrames {
  private readonly images: Array<Blob | undefined>;
  private readonly requested = new Set<number>();
  private readonly order: number[];
  private readonly controller = new AbortController();
  private inFlight = 0;
  private wanted: number | undefined;

  /**
   * @param latents of the frames.
   * @param stride of the frames that are decoded first.
   * @param decode the images of latents.
   * @param onFrames called whenever there are more images.
   * @param onError called with the first error; nothing is decoded after it.
   */
  constructor(
    private readonly latents: readonly Latent[],
    stride: number,
    private readonly decode: (latents: Latent[], signal: AbortSignal) => Promise<Blob[]>,
    private readonly onFrames: () => void,
    private readonly onError: (error: unknown) => void,
  ) {
    this.images = latents.map(() => undefined);
    this.order = coarseToFine(latents.length, stride);
    this.fill();
  }

  get count(): number {
    return this.latents.length;
  }

  /** How many images are there. */
  get decoded(): number {
    return this.images.filter((image) => image !== undefined).length;
  }

  /** The image of a frame, if it is there. */
  at(index: number): Blob | undefined {
    return this.images[index];
  }

  /** The image nearest to a frame, of those that are there. */
  nearest(index: number): Blob | undefined {
    for (let distance = 0; distance < this.count; distance += 1) {
      const found = this.images[index - distance] ?? this.images[index + distance];
      if (found) return found;
    }
    return undefined;
  }

  /** Decode this frame before all others. */
  want(index: number): void {
    this.wanted = index;
    this.fill();
  }

  /** Decode nothing any more. */
  stop(): void {
    this.controller.abort();
  }

  private fill(): void {
    while (this.inFlight < MAX_IN_FLIGHT && !this.controller.signal.aborted) {
      const indices = this.next();
      if (indices.length === 0) return;
      void this.fetch(indices);
    }
  }

  private next(): number[] {
    const { wanted } = this;
    this.wanted = undefined;
    if (wanted !== undefined && !this.requested.has(wanted)) return [wanted];
    return this.order.filter((index) => !this.requested.has(index)).slice(0, FRAMES_PER_REQUEST);
  }

  private async fetch(indices: number[]): Promise<void> {
    for (const index of indices) this.requested.add(index);
    this.inFlight += 1;
    const { signal } = this.controller;
    try {
      const latents = indices.map((index) => this.latents[index]!);
      const images = await this.decode(latents, signal);
      if (signal.aborted) return;
      indices.forEach((index, i) => (this.images[index] = images[i]));
      this.onFrames();
    } catch (error) {
      if (!isAbort(error)) this.onError(error);
      this.stop();
    } finally {
      this.inFlight -= 1;
      this.fill();
    }
  }
}
