import { readFileSync } from "node:fs";

/** What is used of WebAssembly; its types come only with those of a browser. */
interface Wasm {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: object };
}
const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;

/** Exports of `assembly/matrix.ts`; addresses are byte offsets into `memory`. */
interface Kernels {
  memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  heapBase(): number;
  encodeDelta(from: number, count: number, add: number, to: number): number;
  decodeDelta(from: number, end: number, count: number, to: number): number;
  toInts32(from: number, count: number, to: number): number;
  toInts64(from: number, count: number, to: number): number;
  toFloats(from: number, count: number, to: number): number;
  checkFloats(from: number, count: number): number;
  greatest(from: number, count: number): number;
  addToAll(at: number, count: number, value: number): void;
  sumInts(from: number, count: number): number;
  mapRow(
    ids: number,
    counts: number,
    length: number,
    floats: number,
    start: number,
    map: number,
    features: number,
    columns: number,
    data: number,
  ): number;
  mapSame(
    ids: number,
    counts: number,
    length: number,
    floats: number,
    start: number,
    features: number,
    columns: number,
    data: number,
  ): number;
}

/** Flags of the count kernels. */
export const ZERO = 1;
export const UNFIT = 2;
export const NEGATIVE = 4;

/** Kernels with a memory of their own, laid out anew by every use. */
export interface MatrixMemory {
  kernels: Kernels;
  /** Regions of the given sizes, 16-byte aligned, with room for the kernels to read and write a little beyond; grows the memory. */
  layout(...sizes: number[]): number[];
  bytes(at: number, length: number): Uint8Array;
  ints(at: number, length: number): Int32Array;
  floats(at: number, length: number): Float32Array;
}

/** What kernels may touch beyond a region: 128 bytes when they write, 16 when they read. */
const SLACK = 256;
const PAGE = 65_536;

let compiled: object | undefined;

export function createMatrixMemory(): MatrixMemory {
  compiled ??= new wasm.Module(readFileSync(new URL("../gen/matrix.wasm", import.meta.url)));
  const kernels = new wasm.Instance(compiled).exports as Kernels;
  const { memory } = kernels;
  const base = (kernels.heapBase() + 63) & ~63;
  return {
    kernels,
    layout: (...sizes) => {
      let at = base;
      const starts = sizes.map((size) => {
        const start = at;
        at += Math.ceil((size + SLACK) / 64) * 64;
        return start;
      });
      const missing = at - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
      return starts;
    },
    bytes: (at, length) => new Uint8Array(memory.buffer, at, length),
    ints: (at, length) => new Int32Array(memory.buffer, at, length),
    floats: (at, length) => new Float32Array(memory.buffer, at, length),
  };
}

let shared: MatrixMemory | undefined;

/** The memory of this thread, for work that is done before anything else can run. */
export function threadMemory(): MatrixMemory {
  shared ??= createMatrixMemory();
  return shared;
}
