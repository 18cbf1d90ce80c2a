// Calls every operation of a service with the generated types, and writes what came as JSON.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Json = "application/json" | "application/problem+json";

declare const process: { argv: string[] };

const url = process.argv[2] ?? "";
const service = createClient<paths, Json>({ baseUrl: url });
const json = { query: { format: "json" } };

/** The data of a response without an error. */
async function ok<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (data === undefined) {
    throw new Error(`${response.url}: ${response.status} ${JSON.stringify(error)}`);
  }
  return data;
}

/** A form of what the types say: several values of a field are several parts. */
function form(body: object | string): FormData {
  const parts = new FormData();
  for (const [name, value] of Object.entries(body)) {
    for (const part of [value].flat()) {
      parts.append(name, part instanceof Blob ? part : String(part));
    }
  }
  return parts;
}

/** A file, which the types of a binary string call a string. */
function file(data: ArrayBuffer): string {
  return new Blob([data], { type: "image/png" }) as unknown as string;
}

const files = { bodySerializer: form, params: json };

async function images(): Promise<object> {
  const made = await ok(service.POST("/sample", { body: { n: 2, seed: 4 }, params: json }));
  const again = await ok(
    service.GET("/sample", { params: { query: { n: 2, seed: 4, format: "json" } } }),
  );
  const decoded = await ok(
    service.POST("/decode", { body: { latents: made.latents }, params: json }),
  );
  return { seeds: made.seeds, same: again.images, images: made.images, decoded: decoded.latents };
}

async function forms(): Promise<object> {
  const request = { params: { query: { seed: 4, format: "png" } }, parseAs: "arrayBuffer" } as const;
  const png = file(await ok(service.GET("/sample", request)));
  const encoded = await ok(service.POST("/encode", { body: { image: [png] }, ...files }));
  const copies = await ok(
    service.POST("/reconstruct", { body: { image: [png], compare: true }, ...files }),
  );
  const faces = await ok(service.POST("/faces", { body: { image: [png] }, ...files }));
  const path = await ok(
    service.POST("/interpolate", { body: { start: [png], end: [png], steps: 3 }, ...files }),
  );
  const row = await ok(
    service.POST("/traverse", {
      body: { operand: [png], along: "smile", low: 0, steps: 2 },
      ...files,
    }),
  );
  const sum = await ok(
    service.POST("/arithmetic", { body: { expression: "2*me", me: [png] }, ...files }),
  );
  const filled = await ok(
    service.POST("/inpaint", { body: { image: png, mask: png, seed: 1 }, ...files }),
  );
  const scores = await ok(service.POST("/score", { body: { image: [png] }, ...files }));
  return {
    encoded: encoded.latents.length,
    filled: filled.seeds,
    scores: scores.scores.map((score) => score.kl_nats),
    copies: copies.images.length,
    faces: faces.images[0]?.faces,
    path: path.latents,
    row: row.latents,
    sum: sum.latents,
  };
}

async function directions(): Promise<object> {
  const params = { path: { name: "typed" } };
  const body = { with: [{ seed: 1 }], without: [{ seed: 2 }], meaning: "ours" };
  const made = await ok(service.PUT("/directions/{name}", { params, body }));
  const found = await ok(service.GET("/directions/{name}", { params }));
  const all = await ok(service.GET("/directions"));
  const shown = await ok(
    service.GET("/directions/{name}/preview", {
      params: { ...params, query: { steps: 2, format: "json" } },
    }),
  );
  const gone = await service.DELETE("/directions/{name}", { params });
  const missing = await service.GET("/directions/{name}", { params });
  const error: components["schemas"]["Problem"] | undefined = missing.error;
  return {
    made,
    found,
    listed: all.directions.map((direction) => direction.name),
    shown: shown.images.length,
    gone: gone.response.status,
    missing: error?.type,
  };
}

async function models(): Promise<object> {
  const params = { path: { name: "grey" } };
  const listed = await ok(service.GET("/models"));
  const one = await ok(service.GET("/models/{name}", { params }));
  const again = await ok(service.POST("/models/{name}/reload", { params }));
  const live = await ok(service.GET("/health/live"));
  const ready = await ok(service.GET("/health/ready"));
  const metrics = await ok(service.GET("/metrics", { parseAs: "text" }));
  return {
    listed: listed.models.map((model) => model.name),
    one: one.id,
    reload: [again.outcome, again.model.id],
    health: [live.status, ready.status],
    metrics,
  };
}

console.log(
  JSON.stringify({
    images: await images(),
    forms: await forms(),
    directions: await directions(),
    models: await models(),
  }),
);
