import type { PutSource } from "./backend.ts";
import type { ObjectBody } from "./types.ts";

/** Up to here a body is held in memory and sent in one request, which can be repeated; GCS's advice for resumable uploads too. */
export const SINGLE_REQUEST_BYTES = 8 * 1024 * 1024;

/** Settles with the promise, or rejects as soon as the signal aborts, whichever is first. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** A body read far enough to know whether it is small. */
export interface PreparedBody {
  source: PutSource;
  /** Tells the caller's iterable that no more is wanted. */
  release(): void;
}

/** Keeps what the caller's own iterable threw, so that it reaches the caller as it is. */
export interface BodyFailure {
  thrown?: { error: unknown };
}

/** Reads up to 8 MiB of an iterable body, so that small ones become plain bytes. */
export async function prepareBody(
  body: ObjectBody,
  size: number | undefined,
  signal: AbortSignal | undefined,
  failure: BodyFailure,
): Promise<PreparedBody> {
  if (typeof body === "string" || body instanceof Uint8Array) {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    return { source: { kind: "bytes", bytes }, release: () => {} };
  }
  const iterator = body[Symbol.asyncIterator]();
  let open = true;
  const release = () => {
    // Not awaited: an iterable that waits for a dead peer would hold the caller for ever.
    if (open) Promise.resolve(iterator.return?.()).catch(() => {});
    open = false;
  };
  const next = async (): Promise<Uint8Array | undefined> => {
    const pending = iterator.next().then(checkStep);
    pending.catch((error: unknown) => {
      failure.thrown ??= { error };
    });
    const chunk = await abortable(pending, signal);
    if (chunk === undefined) open = false;
    return chunk;
  };
  try {
    return { source: await firstBytes(next, size), release };
  } catch (error) {
    release();
    throw error;
  }
}

function checkStep(step: IteratorResult<unknown>): Uint8Array | undefined {
  if (step.done === true) return undefined;
  if (step.value instanceof Uint8Array) return step.value;
  throw new TypeError(`An object body must yield Uint8Array chunks, got ${typeof step.value}.`);
}

async function firstBytes(
  next: () => Promise<Uint8Array | undefined>,
  size: number | undefined,
): Promise<PutSource> {
  const held: Uint8Array[] = [];
  let heldBytes = 0;
  while (heldBytes <= SINGLE_REQUEST_BYTES) {
    const chunk = await next();
    if (chunk === undefined) return { kind: "bytes", bytes: concat(held, heldBytes) };
    held.push(chunk);
    heldBytes += chunk.length;
  }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield* held.splice(0);
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
      if (chunk.length > 0) yield chunk;
    }
  }
  return { kind: "stream", chunks: chunks(), size };
}

export function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const only = chunks[0];
  if (chunks.length === 1 && only !== undefined) return only;
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
