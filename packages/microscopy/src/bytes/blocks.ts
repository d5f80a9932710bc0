import type { ByteSource } from "../types.ts";

/** Small reads all over a file, served from blocks of it. */
export interface BlockReader {
  readonly source: ByteSource;
  /** Bytes that are there already, or undefined. Inside one block without a copy. */
  peek(start: number, end: number): Uint8Array<ArrayBuffer> | undefined;
  /** Makes the blocks of a range come. */
  load(start: number, end: number, signal: AbortSignal | undefined): Promise<void>;
  /** Bytes of a range; big ones go past the blocks. Must lie inside the source. */
  read(start: number, end: number, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>>;
}

/** Blocks kept: a few MiB. */
const KEPT = 512;

export function createBlockReader(source: ByteSource): BlockReader {
  const size = source.remote ? 32 * 1024 : 4 * 1024;
  const blocks = new Map<number, Uint8Array<ArrayBuffer>>();
  const coming = new Map<number, Promise<void>>();

  function peek(start: number, end: number): Uint8Array<ArrayBuffer> | undefined {
    const first = Math.floor(start / size);
    const last = Math.floor(Math.max(start, end - 1) / size);
    if (first === last) return blocks.get(first)?.subarray(start - first * size, end - first * size);
    const whole = new Uint8Array(end - start);
    for (let b = first; b <= last; b++) {
      const block = blocks.get(b);
      if (block === undefined) return undefined;
      const from = Math.max(0, start - b * size);
      whole.set(block.subarray(from, Math.min(size, end - b * size)), Math.max(0, b * size - start));
    }
    return whole;
  }

  async function fetch(first: number, last: number, signal: AbortSignal | undefined): Promise<void> {
    const from = first * size;
    const bytes = await source.read(from, Math.min(source.size, (last + 1) * size), signal);
    for (let b = first; b <= last; b++) {
      while (blocks.size >= KEPT) blocks.delete(blocks.keys().next().value as number);
      blocks.set(b, bytes.subarray((b - first) * size, (b - first + 1) * size));
    }
  }

  async function load(start: number, end: number, signal: AbortSignal | undefined): Promise<void> {
    let first = Math.floor(start / size);
    let last = Math.floor(Math.max(start, end - 1) / size);
    while (first <= last && blocks.has(first)) first++;
    while (last >= first && blocks.has(last)) last--;
    if (first > last) return;
    if (first < last || coming.get(first) === undefined) {
      const promise = fetch(first, last, signal);
      if (first === last) {
        coming.set(first, promise);
        // Another caller's signal must not decide for those who wait: they ask again.
        const forget = () => coming.delete(first);
        promise.then(forget, forget);
      }
      return promise;
    }
    await coming.get(first)?.catch(() => {});
    if (!blocks.has(first)) await fetch(first, last, signal);
  }

  async function read(start: number, end: number, signal: AbortSignal | undefined) {
    if (end - start > size * 8) return source.read(start, end, signal);
    let bytes = peek(start, end);
    if (bytes === undefined) {
      await load(start, end, signal);
      bytes = peek(start, end) ?? (await source.read(start, end, signal));
    }
    return bytes;
  }

  return { source, peek, load, read };
}
