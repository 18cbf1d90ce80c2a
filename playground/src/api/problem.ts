/** Errors of the service, as RFC 9457 describes them, and those of the network. */

import type { components } from "./schema";

export type ProblemBody = components["schemas"]["Problem"];

/** A request that failed. */
export class ApiError extends Error {
  /**
   * @param kind last part of the problem's type, such as `no-face-found`; `network` where there was
   *   no response.
   * @param status of the response, 0 where there was none.
   * @param detail what the service says, in English.
   */
  constructor(
    readonly kind: string,
    readonly status: number,
    readonly detail: string,
  ) {
    super(detail);
    this.name = "ApiError";
  }
}

/** The error of a response whose status is not 2xx. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as Partial<ProblemBody>;
    const kind = (body.type ?? "").split(":").pop() || "unknown";
    return new ApiError(kind, response.status, body.detail ?? response.statusText);
  } catch {
    // Of a proxy between the page and the service.
    return new ApiError("unknown", response.status, response.statusText);
  }
}

/** Whether a request was aborted by the page itself, which is no error. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
