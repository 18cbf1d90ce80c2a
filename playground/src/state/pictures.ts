/** Pictures that are at hand on the page: sampled faces, and faces cropped from photographs. */

import type { Service } from "../api/service";
import type { Face, Images, Latent, Model } from "../api/types";

/** The photograph that a picture was cropped from. */
export interface Source {
  file: File;
  /** Number of the face in it, 1 for the largest; undefined where it was cropped without a face. */
  face: number | undefined;
}

/** A face as the model sees it. */
export interface Picture {
  id: string;
  /** Of a sample or answer undefined; then `seed` or `label` says what it is. */
  source?: Source;
  seed?: number;
  /** Of a sample that is not drawn as usual. */
  sampling?: { temperature: number; prior: "fitted" | "standard" };
  label?: string;
  /** A PNG that carries its latent, so that the service does not encode it again. */
  file: Blob;
  /** Address of `file` on this page. */
  url: string;
  latent: Latent;
}

/** What is found in a photograph before one of its faces is cropped. */
export interface Intake {
  file: File;
  url: string;
  width: number;
  height: number;
  faces: Face[];
}

/** Seeds of the faces that are there from the start. */
export const FIRST_SEEDS = [24, 45, 92, 93, 84, 127];

let created = 0;

/** An image of base64, as the JSON of the service has it. */
export function blobOfBase64(text: string, type = "image/png"): Blob {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type });
}

/** The picture of one image of a response. */
export function pictureOf(
  images: Images,
  index: number,
  about: Pick<Picture, "source" | "seed" | "label" | "sampling">,
): Picture {
  const file = blobOfBase64(images.images[index]!);
  const url = URL.createObjectURL(file);
  created += 1;
  return { id: `picture-${created}`, file, url, latent: images.latents[index]!, ...about };
}

/** The sample of a seed. */
export async function samplePicture(service: Service, seed: number): Promise<Picture> {
  return pictureOf(await service.sample({ seed }), 0, { seed });
}

/** The faces in a photograph, and how large it is. */
export async function findFaces(service: Service, file: File): Promise<Intake> {
  const { width, height, faces } = await service.faces(file);
  return { file, url: URL.createObjectURL(file), width, height, faces };
}

/** The face of a photograph, cropped and aligned by the service. */
export async function cropPicture(service: Service, source: Source): Promise<Picture> {
  const images = await service.crop(source.file, source.face);
  return pictureOf(images, 0, { source, label: source.file.name });
}

/** Whether a model moves the face of a photograph to where its training images have it. */
export function alignsFaces(model: Model): boolean {
  return model.alignment_template !== null;
}
