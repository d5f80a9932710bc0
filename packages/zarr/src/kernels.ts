import { readFileSync } from "node:fs";

interface Exports {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  lz4(from: number, size: number, to: number, limit: number): number;
  blosclz(from: number, size: number, to: number, limit: number): number;
  shuffle(from: number, to: number, bytes: number, size: number): void;
  unshuffle(from: number, to: number, bytes: number, size: number): void;
  unbitshuffle(from: number, to: number, count: number, size: number): void;
  crc32cTable(table: number): void;
  crc32c(table: number, from: number, size: number, before: number): number;
}

/** What is used of WebAssembly; its types come only with those of a browser. */
interface Wasm {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
}

/** The first page belongs to the module and the checksum table. */
const tableAt = 32 * 1024;
const base = 64 * 1024;
/** An instance whose memory grew beyond this is not kept: wasm memory never shrinks. */
const keepBytes = 64 * 1024 * 1024;
/** Of wasm32; inputs and outputs must fit together. */
const addressBytes = 4 * 1024 ** 3 - base;

let compiled: object | undefined;
let kept: Exports | undefined;

function instance(): Exports {
  if (kept !== undefined) return kept;
  const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
  compiled ??= new wasm.Module(readFileSync(new URL("./gen/codecs.wasm", import.meta.url)));
  const made = new wasm.Instance(compiled, {}).exports as Exports;
  // The module asks for no memory of its own.
  made.memory.grow(Math.max(0, Math.ceil((base - made.memory.buffer.byteLength) / 65536)));
  made.crc32cTable(tableAt);
  kept = made;
  return made;
}

/**
 * Runs `work` with room for areas of the given sizes in wasm memory; `at[i]` is where area i begins. What `work` returns must not
 * view that memory.
 */
export function withKernels<T>(
  sizes: readonly number[],
  work: (kernels: Exports, at: readonly number[], memory: Uint8Array) => T,
): T {
  const kernels = instance();
  const at: number[] = [];
  let end = base;
  for (const size of sizes) {
    at.push(end);
    end += (size + 15) & ~15;
  }
  if (end > addressBytes) throw new RangeError(`${end} bytes do not fit WebAssembly memory`);
  const missing = end - kernels.memory.buffer.byteLength;
  if (missing > 0) kernels.memory.grow(Math.ceil(missing / 65536));
  try {
    return work(kernels, at, new Uint8Array(kernels.memory.buffer));
  } finally {
    if (kernels.memory.buffer.byteLength > keepBytes) kept = undefined;
  }
}

/** Bytes of one pass over wasm memory when a checksum runs over more. */
const passBytes = 1 << 20;

/** CRC-32C (Castagnoli), as sharding indexes and the crc32c codec use it. */
export function crc32c(bytes: Uint8Array): number {
  return withKernels([Math.min(bytes.length, passBytes)], (kernels, [at], memory) => {
    let crc = 0;
    for (let from = 0; from < bytes.length; from += passBytes) {
      const part = bytes.subarray(from, from + passBytes);
      memory.set(part, at!);
      crc = kernels.crc32c(tableAt, at!, part.length, crc) >>> 0;
    }
    return crc;
  });
}

/** A raw LZ4 block of at most `maxBytes`. */
export function decodeLz4Block(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return withKernels([bytes.length, maxBytes], (kernels, [from, to], memory) => {
    memory.set(bytes, from!);
    const size = kernels.lz4(from!, bytes.length, to!, maxBytes);
    if (size < 0) throw new RangeError(`LZ4: contradicts itself (${size})`);
    return memory.slice(to!, to! + size);
  });
}

/** `undo` false: bytes of a kind together; true: back to elements. */
export function shuffleBytes(bytes: Uint8Array, elementBytes: number, undo: boolean): Uint8Array {
  return withKernels([bytes.length, bytes.length], (kernels, [from, to], memory) => {
    memory.set(bytes, from!);
    kernels[undo ? "unshuffle" : "shuffle"](from!, to!, bytes.length, elementBytes);
    return memory.slice(to!, to! + bytes.length);
  });
}
