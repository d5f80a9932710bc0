import { readFileSync } from "node:fs";

/** What assembly/codecs.ts exports: addresses and lengths in bytes of its one memory. */
interface Kernels {
  memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  heapBase(): number;
  slack(): number;
  adler32(from: number, length: number): number;
  fletcher32(from: number, length: number): number;
  crc32c(from: number, length: number, before: number): number;
  shuffle(from: number, to: number, length: number, size: number): void;
  unshuffle(from: number, to: number, length: number, size: number): void;
  unbitshuffle(from: number, to: number, count: number, size: number): void;
  lzfDecode(from: number, length: number, to: number, room: number): number;
  lzfEncode(from: number, length: number, to: number): number;
  lz4(from: number, length: number, to: number, room: number): number;
  blosclz(from: number, length: number, to: number, room: number): number;
  snappy(from: number, length: number, to: number, room: number): number;
  inflate(from: number, length: number, to: number, room: number): number;
  deflate(from: number, length: number, to: number, planes: number): number;
  deflateBound(length: number, planes: number): number;
}

// WebAssembly has no types without the DOM library.
const { Module, Instance } = (
  globalThis as unknown as {
    WebAssembly: {
      Module: new (bytes: Uint8Array) => object;
      Instance: new (module: object, imports: object) => { exports: unknown };
    };
  }
).WebAssembly;

const pageBytes = 65_536;
/** A memory that grew beyond this for one huge chunk is not kept: it never shrinks. */
const keptBytes = 192 * 1024 * 1024;
/** Of wasm32; what is in use at once must fit. */
const addressBytes = 4 * 1024 ** 3 - pageBytes;

/** `length` bytes at `at` of an arena's memory. */
export interface Span {
  at: number;
  length: number;
}

/** The kernels of this thread, and places in their memory. */
export interface Arena {
  readonly kernels: Kernels;
  /** The whole memory; stale after the next `reserve`. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Where the reserved areas begin. */
  areas: readonly number[];
}

let module: object | undefined;
let kept: Arena | undefined;

/**
 * The arena of this thread with areas of the given sizes, in bytes. What was in it before is lost, so nobody may wait between filling
 * it and taking the result out.
 *
 * @throws RangeError when they do not fit the 4 GiB of WebAssembly
 */
export function reserve(sizes: readonly number[]): Arena {
  const arena = kept ?? create();
  const slack = arena.kernels.slack();
  const areas: number[] = [];
  let end = align(arena.kernels.heapBase());
  for (const size of sizes) {
    areas.push(end);
    end = align(end + size + slack);
  }
  if (end > addressBytes) throw new RangeError(`${end} bytes do not fit the memory of WebAssembly`);
  const missing = end - arena.kernels.memory.buffer.byteLength;
  if (missing > 0) {
    arena.kernels.memory.grow(Math.ceil(missing / pageBytes));
    arena.bytes = new Uint8Array(arena.kernels.memory.buffer);
  }
  arena.areas = areas;
  kept = end > keptBytes ? undefined : arena;
  return arena;
}

function create(): Arena {
  module ??= new Module(readFileSync(new URL("./gen/codecs.wasm", import.meta.url)));
  const kernels = new Instance(module, {}).exports as Kernels;
  return { kernels, bytes: new Uint8Array(kernels.memory.buffer), areas: [] };
}

/** Beyond 2 GiB as well, where bit operations would not do. */
function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}

/** Decodes `bytes` in an arena of its own: `work` puts at most `maxBytes` at `to` and says how many. */
export function decoded(
  bytes: Uint8Array,
  maxBytes: number,
  scratchBytes: number,
  work: (arena: Arena, from: Span, to: number, scratch: number) => number,
): Uint8Array {
  const arena = reserve([bytes.length, maxBytes, scratchBytes]);
  const [from, to, scratch] = arena.areas as [number, number, number];
  arena.bytes.set(bytes, from);
  const length = work(arena, { at: from, length: bytes.length }, to, scratch);
  return arena.bytes.slice(to, to + length);
}

/** What lies in an arena, until the next `reserve`. */
export function view(arena: Arena, { at, length }: Span): Uint8Array<ArrayBuffer> {
  return arena.bytes.subarray(at, at + length);
}
