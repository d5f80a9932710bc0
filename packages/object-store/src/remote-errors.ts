import { ObjectStoreError, type ObjectStoreErrorTag } from "./errors.ts";
import { errorCode } from "./file-errors.ts";

const NETWORK_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ERR_STREAM_PREMATURE_CLOSE",
  "UND_ERR_SOCKET",
]);

/** True when a chain of causes holds a failure of the network rather than an answer of the store. */
export function isNetworkError(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const code = errorCode(at);
    if (code !== undefined && NETWORK_CODES.has(code)) return true;
    if (at.name === "TimeoutError" || /socket hang up|premature close|aborted/i.test(at.message)) return true;
  }
  return false;
}

const BY_STATUS: Readonly<Record<number, { tag: ObjectStoreErrorTag; what: string }>> = {
  400: { tag: "invalid-uri", what: "The store refused the request for" },
  401: { tag: "unauthenticated", what: "The store wants valid credentials for" },
  403: { tag: "permission-denied", what: "The credentials in use may not do this with" },
  404: { tag: "object-not-found", what: "There is no object at" },
  409: { tag: "write-conflict", what: "Another write got in the way at" },
  412: { tag: "object-exists", what: "There is already an object at" },
  413: { tag: "object-too-large", what: "The store refuses a request of this size for" },
  416: { tag: "invalid-range", what: "The requested bytes lie beyond the end of" },
  408: { tag: "store-unavailable", what: "The store timed out for" },
  429: { tag: "store-unavailable", what: "The store asks to slow down for" },
};

/** The error for an HTTP status of S3 or GCS; undefined where the status says nothing of use. */
export function fromStatus(status: number, uri: string, cause: unknown): ObjectStoreError | undefined {
  const unavailable = {
    tag: "store-unavailable",
    what: "The store cannot serve this at the moment:",
  } as const;
  const meaning = status >= 500 ? unavailable : BY_STATUS[status];
  if (meaning === undefined) return undefined;
  const why = cause instanceof Error && cause.message !== "" ? `: ${cause.message}` : "";
  return new ObjectStoreError(meaning.tag, `${meaning.what} ${uri} (HTTP ${status}${why}).`, { uri, cause });
}

/** The store counted other bytes, or another checksum, than the request said. */
export function damagedUpload(uri: string, cause: unknown): ObjectStoreError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `The bytes for ${uri} changed on the way, and the store kept none of them: ${why}; try again.`;
  return new ObjectStoreError("corrupt-transfer", message, { uri, cause });
}

export function unavailable(uri: string, cause: unknown): ObjectStoreError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ObjectStoreError("store-unavailable", `The store could not be reached for ${uri}: ${why}`, {
    uri,
    cause,
  });
}

export function objectExists(uri: string, cause: unknown): ObjectStoreError {
  return new ObjectStoreError("object-exists", `There is already an object at ${uri}.`, { uri, cause });
}

/** Object metadata that names the put which wrote it: a put whose answer got lost can recognise its own success. */
export const PUT_ID_KEY = "cytomesh-put-id";
