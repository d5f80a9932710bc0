import { instantiate, type WasmMemory } from "./instantiate.ts";

type Across = (
  row: number,
  to: number,
  values: number,
  inside: number,
  samples: number,
  at: number,
  a0: number,
  a1: number,
) => void;
type Down = (row0: number, row1: number, to: number, values: number, b0: number, b1: number) => void;
type Max = (into: number, from: number, bytes: number) => void;

/** What `assembly/pixels.ts` exports. */
export interface PixelExports {
  readonly memory: WasmMemory;
  heapBase(): number;
  readonly maxU8: Max;
  readonly maxI8: Max;
  readonly maxU16: Max;
  readonly maxI16: Max;
  readonly maxU32: Max;
  readonly maxI32: Max;
  readonly maxF32: Max;
  readonly maxF64: Max;
  readonly acrossU8: Across;
  readonly acrossU16: Across;
  readonly acrossF32: Across;
  readonly downU8: Down;
  readonly downU16: Down;
  readonly downF32: Down;
  filterRows(
    from: number,
    to: number,
    rows: number,
    bytes: number,
    stride: number,
    step: number,
    kind: number,
    spare: number,
  ): number;
  spread8(from: number, to: number, rows: number, bytes: number, stride: number): void;
  spread16(from: number, to: number, rows: number, bytes: number, stride: number): void;
}

let shared: PixelExports | undefined;

/** The kernels of this thread; they share one memory, so a caller must not await between filling and emptying it. */
export function pixelKernels(): PixelExports {
  shared ??= newPixelKernels();
  return shared;
}

/** Kernels with a memory of their own, to be kept over awaits. */
export function newPixelKernels(): PixelExports {
  return instantiate<PixelExports>("pixels");
}
