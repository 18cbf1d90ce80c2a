/** Requests to the service that this page comes from. */

import { ApiError, errorOf, isAbort } from "./problem";

export type Query = Record<string, string | number | boolean | undefined>;

/** What is sent: JSON, or a form with files. */
export type Body = FormData | object;

export interface RequestOptions {
  query?: Query;
  body?: Body;
  method?: "GET" | "POST" | "PUT";
  signal?: AbortSignal;
}

/** Sends requests with the API key, which is kept in memory only. */
export class Connection {
  key: string | undefined;
  /** Name of the model that requests ask for; the default model if undefined. */
  model: string | undefined;
  /** Called when the service asks for a key, or for another one. */
  onKeyNeeded: () => void = () => {};

  /** @param base address of the page, under which all paths of the service are. */
  constructor(private readonly base: string) {}

  /** The address of a path, such as `sample`, with the chosen model. */
  address(path: string, query: Query = {}): string {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries({ model: this.model, ...query })) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url.href;
  }

  /**
   * The response to a request.
   *
   * @throws ApiError if there is none, or its status is not 2xx.
   * @throws DOMException `AbortError` if the signal aborts it.
   */
  async request(path: string, options: RequestOptions = {}): Promise<Response> {
    const { body, signal } = options;
    const headers = new Headers();
    if (this.key) headers.set("Authorization", `Bearer ${this.key}`);
    if (body && !(body instanceof FormData)) headers.set("Content-Type", "application/json");
    const init: RequestInit = {
      method: options.method ?? (body ? "POST" : "GET"),
      headers,
      body: body instanceof FormData || !body ? (body ?? null) : JSON.stringify(body),
      signal: signal ?? null,
    };
    const response = await fetch(this.address(path, options.query), init).catch((error) => {
      if (isAbort(error)) throw error;
      throw new ApiError("network", 0, String(error));
    });
    if (response.ok) return response;
    const error = await errorOf(response);
    if (response.status === 401) this.onKeyNeeded();
    throw error;
  }

  /** The JSON of a response; as `request`. */
  async json<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return (await (await this.request(path, options)).json()) as T;
  }

  /** The bytes of a response, such as an image; as `request`. */
  async blob(path: string, options: RequestOptions = {}): Promise<Blob> {
    return (await this.request(path, options)).blob();
  }
}
