import { addAbortSignal, Readable } from "node:stream";
import type { BackendRead, OpenedObject } from "./backend.ts";
import { concat } from "./body.ts";
import { ObjectStoreError } from "./errors.ts";

export interface ReadContext {
  uri: string;
  signal: AbortSignal | undefined;
  /** Turns an error of the source into the one to throw. */
  toError(error: unknown): Error;
}

/** The chunks of an opened object, with errors mapped and the byte count checked at the end. */
async function* checkedChunks({ source, length }: OpenedObject, at: ReadContext): AsyncGenerator<Uint8Array> {
  const iterator: AsyncIterator<Uint8Array> = source[Symbol.asyncIterator]();
  let seen = 0;
  for (;;) {
    // Only the source's own errors are mapped; what a consumer throws into the generator is the consumer's.
    const step = await iterator.next().catch((error: unknown) => {
      throw at.toError(error);
    });
    if (step.done === true) break;
    seen += step.value.length;
    if (length !== undefined && seen > length) throw wrongLength(at.uri, seen, length);
    yield step.value;
  }
  if (length !== undefined && seen < length) throw wrongLength(at.uri, seen, length);
}

export function wrongLength(uri: string, seen: number, length: number): ObjectStoreError {
  const message = `Reading ${uri} delivered ${seen} bytes, expected ${length}; try again.`;
  return new ObjectStoreError("corrupt-transfer", message, { uri });
}

function watch({ source }: OpenedObject, signal: AbortSignal | undefined): void {
  // An abort before anybody reads would otherwise be an unhandled 'error' event; the iterator reports it anyway.
  source.on("error", () => {});
  if (signal !== undefined) addAbortSignal(signal, source);
}

export function toReadable(opened: OpenedObject, at: ReadContext): Readable {
  watch(opened, at.signal);
  const readable = Readable.from(checkedChunks(opened, at), { objectMode: false, highWaterMark: 256 * 1024 });
  readable.once("close", () => opened.source.destroy());
  return readable;
}

/** Everything an opened object delivers, or `object-too-large` before more than `maxBytes` are held. */
export async function readAll(
  opened: OpenedObject,
  { maxBytes, room = newRoom }: BackendRead,
  at: ReadContext,
): Promise<Uint8Array> {
  watch(opened, at.signal);
  try {
    if (opened.length !== undefined && opened.length > maxBytes)
      throw tooLarge(at.uri, maxBytes, opened.length);
    // With a known length one buffer is filled in place: half the peak memory of collecting first.
    const whole = opened.length === undefined ? undefined : room(opened.length);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of checkedChunks(opened, at)) {
      whole?.set(chunk, size);
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(at.uri, maxBytes, undefined);
      if (whole === undefined) chunks.push(chunk);
    }
    return whole ?? concat(chunks, size);
  } finally {
    opened.source.destroy();
  }
}

export function newRoom(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

export function tooLarge(uri: string, maxBytes: number, size: number | undefined): ObjectStoreError {
  const found = size === undefined ? "it has more" : `found ${size}`;
  const message = `Expected at most ${maxBytes} bytes in ${uri}, ${found}; raise maxBytes, or use stream or download.`;
  return new ObjectStoreError("object-too-large", message, { uri });
}
