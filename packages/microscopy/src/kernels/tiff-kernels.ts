import { instantiate, type WasmMemory } from "./instantiate.ts";

/** What `assembly/tiff.ts` exports. */
interface TiffExports {
  readonly memory: WasmMemory;
  heapBase(): number;
  lzw(from: number, size: number, to: number, capacity: number, table: number, old: number): number;
  /** Bytes written, negative at anything odd. */
  inflate(from: number, length: number, to: number, room: number): number;
  packBits(from: number, size: number, to: number, capacity: number): number;
  sumDifferences(at: number, rows: number, width: number, samples: number, size: number): void;
  joinFloats(from: number, to: number, rows: number, width: number, samples: number, size: number): void;
  swapBytes(at: number, bytes: number, size: number): void;
  unpackBits(
    from: number,
    to: number,
    rows: number,
    rowBytes: number,
    values: number,
    bits: number,
    size: number,
    signed: number,
  ): void;
}

let loaded: TiffExports | undefined;

/** The kernels of this thread; they share one memory, so a caller must not await between filling and emptying it. */
export function tiffKernels(): TiffExports {
  loaded ??= instantiate<TiffExports>("tiff");
  return loaded;
}
