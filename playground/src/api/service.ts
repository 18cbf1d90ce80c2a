/** The calls that the page makes, one function each. */

import type { Connection } from "./http";
import { readNpy } from "./npy";
import type {
  ArithmeticFields,
  DecodeFields,
  Direction,
  DirectionFields,
  Directions,
  Images,
  InterpolateFields,
  Latent,
  Model,
  Photograph,
  SampleFields,
  TraverseFields,
} from "./types";

export type FileFormat = "png" | "jpeg" | "webp" | "gif" | "apng";

/** A part of a form: text, or a file with the name under which it is sent. */
export type FormFields = Record<string, string | number | boolean | Blob>;

function form(fields: FormFields): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Blob) data.append(name, value, "image");
    else data.append(name, String(value));
  }
  return data;
}

/** The service, as the page uses it. Every function may throw `ApiError`. */
export class Service {
  constructor(readonly connection: Connection) {}

  async models(): Promise<Model[]> {
    return (await this.connection.json<{ models: Model[] }>("models")).models;
  }

  async directions(): Promise<Direction[]> {
    return (await this.connection.json<Directions>("directions")).directions;
  }

  /** Makes or replaces a direction. */
  putDirection(name: string, body: DirectionFields): Promise<Direction> {
    return this.connection.json(`directions/${name}`, { method: "PUT", body });
  }

  /** One row of images: a sample moved along the direction, from -2 to 2 steps. */
  previewDirection(name: string, steps: number, signal?: AbortSignal): Promise<Blob> {
    const query = { steps, size: 96, format: "png" };
    return this.connection.blob(`directions/${name}/preview`, { query, ...signalled(signal) });
  }

  /** The faces in a photograph, the largest first. */
  async faces(photograph: Blob): Promise<Photograph> {
    const body = form({ image: photograph });
    const { images } = await this.connection.json<{ images: Photograph[] }>("faces", { body });
    return images[0]!;
  }

  /**
   * The crop of a photograph as the model sees it, with its latent.
   *
   * @param face number of the face, 1 for the largest; undefined to crop without a face.
   */
  crop(photograph: Blob, face: number | undefined): Promise<Images> {
    const alignment: FormFields = face === undefined ? { align: false } : { face };
    const body = form({ image: photograph, compare: true, ...alignment });
    return this.connection.json("reconstruct", { body, query: { format: "json" } });
  }

  sample(query: SampleFields, signal?: AbortSignal): Promise<Images> {
    return this.connection.json("sample", {
      query: { ...present(query), format: "json" },
      ...signalled(signal),
    });
  }

  /** Latents of samples, which are not decoded. */
  sampleLatents(seed: number, n: number, signal?: AbortSignal): Promise<Latent[]> {
    return this.latents("sample", { query: { seed, n, format: "npy" }, ...signalled(signal) });
  }

  /** The image of an expression over latents and seeds. */
  arithmetic(body: ArithmeticFields, signal?: AbortSignal): Promise<Images> {
    const query = { format: "json" };
    return this.connection.json("arithmetic", { body, query, ...signalled(signal) });
  }

  /** The image of an expression over image files. */
  arithmeticOfFiles(fields: FormFields, format: FileFormat, signal?: AbortSignal): Promise<Blob> {
    const options = { body: form(fields), query: { format }, ...signalled(signal) };
    return this.connection.blob("arithmetic", options);
  }

  /** Images of latents as one file; several are a contact sheet. */
  decode(body: DecodeFields, signal?: AbortSignal): Promise<Blob> {
    return this.connection.blob("decode", { body, query: { format: "png" }, ...signalled(signal) });
  }

  /** The image of each latent. */
  decodeEach(body: DecodeFields, signal?: AbortSignal): Promise<Images> {
    const query = { format: "json" };
    return this.connection.json("decode", { body, query, ...signalled(signal) });
  }

  /** Latents of a path, which are not decoded. */
  pathLatents(body: InterpolateFields, signal?: AbortSignal): Promise<Latent[]> {
    return this.latents("interpolate", { body, query: { format: "npy" }, ...signalled(signal) });
  }

  /** A path as one file: an animation, or a row of images. */
  pathFile(body: InterpolateFields, format: FileFormat): Promise<Blob> {
    return this.connection.blob("interpolate", { body, query: { format } });
  }

  /** Latents of a traversal, row by row, which are not decoded. */
  traverseLatents(body: TraverseFields, signal?: AbortSignal): Promise<Latent[]> {
    return this.latents("traverse", { body, query: { format: "npy" }, ...signalled(signal) });
  }

  private async latents(
    path: string,
    options: Parameters<Connection["request"]>[1],
  ): Promise<Latent[]> {
    return readNpy(await (await this.connection.request(path, options)).arrayBuffer());
  }
}

function signalled(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}

/** The fields that have a value. */
function present<Fields extends object>(fields: Fields): Record<string, string | number | boolean> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));
}
