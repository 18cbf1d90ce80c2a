/** The types of the interface, from `openapi.json`. */

import type { components, paths } from "./schema";

type Schemas = components["schemas"];
type JsonBody<Path extends keyof paths, Method extends "post" | "put"> = paths[Path] extends {
  [M in Method]: { requestBody?: { content: { "application/json": infer Fields } } };
}
  ? Fields
  : never;

export type Model = Schemas["ModelResponse"];
export type Direction = Schemas["DirectionResponse"];
export type Directions = Schemas["DirectionsResponse"];
export type Photograph = Schemas["PhotographResponse"];
export type Face = Schemas["FaceResponse"];
export type Images = Schemas["ImagesResponse"];

export type ArithmeticFields = JsonBody<"/arithmetic", "post">;
export type InterpolateFields = JsonBody<"/interpolate", "post">;
export type DecodeFields = JsonBody<"/decode", "post">;
export type TraverseFields = JsonBody<"/traverse", "post">;
export type DirectionFields = JsonBody<"/directions/{name}", "put">;
export type SampleFields = NonNullable<paths["/sample"]["get"]["parameters"]["query"]>;

/** Position in the latent space, one value a dimension. */
export type Latent = number[];
