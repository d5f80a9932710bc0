import { readFileSync } from "node:fs";

/** What assembly/codecs.ts exports: addresses and lengths in bytes of its one memory. */
interface Codecs {
  memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  heapBase(): number;
  slack(): number;
  adler32(from: number, length: number): number;
  fletcher32(from: number, length: number): number;
  shuffle(from: number, to: number, length: number, size: number): void;
  unshuffle(from: number, to: number, length: number, size: number): void;
  lzfDecode(from: number, length: number, to: number, room: number): number;
  lzfEncode(from: number, length: number, to: number): number;
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
/** A memory that grew beyond this for one huge chunk is not kept. */
const keptBytes = 192 * 1024 * 1024;

/** Bytes of a stage of the filter pipeline: `length` bytes at `at` of the arena's memory. */
export interface Span {
  at: number;
  length: number;
}

/** The codecs of this thread with room for a chunk on its way through them: an input and two buffers that take turns. */
export interface Arena {
  readonly codecs: Codecs;
  /** The whole memory; stale after the next `reserve`. */
  bytes: Uint8Array<ArrayBuffer>;
  readonly input: number;
  /** Two places of at least the reserved output size. */
  outputs: [number, number];
}

let module: object | undefined;
let kept: Arena | undefined;

/** The arena of this thread, with room for so many bytes of input and twice so many of output. What was in it before is lost. */
export function reserve(inputBytes: number, outputBytes: number): Arena {
  const arena = kept ?? create();
  const slack = arena.codecs.slack();
  const outputs = [0, 0] as [number, number];
  outputs[0] = align(arena.input + inputBytes + slack);
  outputs[1] = align(outputs[0] + outputBytes + slack);
  const end = align(outputs[1] + outputBytes + slack);
  const missing = end - arena.codecs.memory.buffer.byteLength;
  if (missing > 0) {
    arena.codecs.memory.grow(Math.ceil(missing / pageBytes));
    arena.bytes = new Uint8Array(arena.codecs.memory.buffer);
  }
  arena.outputs = outputs;
  kept = end > keptBytes ? undefined : arena;
  return arena;
}

function create(): Arena {
  module ??= new Module(readFileSync(new URL("../gen/codecs.wasm", import.meta.url)));
  const codecs = new Instance(module, {}).exports as Codecs;
  const bytes = new Uint8Array(codecs.memory.buffer);
  return { codecs, bytes, input: align(codecs.heapBase()), outputs: [0, 0] };
}

function align(address: number): number {
  return (address + 63) & ~63;
}
