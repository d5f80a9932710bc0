import { instantiate, kernelPool, type WasmMemory } from "./instantiate.ts";

/** Whole vectors are compared: what lies behind `bytes` up to the step of 64 is changed too. */
export type Max = (into: number, from: number, bytes: number) => void;

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
  /** A zlib stream; returns its bytes. `planes` is 1 but for shuffled values. */
  deflate(from: number, length: number, to: number, planes: number): number;
  /** No stream is longer. */
  deflateBound(length: number, planes: number): number;
  spread8(from: number, to: number, rows: number, bytes: number, stride: number): void;
  spread16(from: number, to: number, rows: number, bytes: number, stride: number): void;
}

let shared: PixelExports | undefined;

/** The kernels of this thread; they share one memory, so a caller must not await between filling and emptying it. */
export function pixelKernels(): PixelExports {
  shared ??= instantiate<PixelExports>("pixels");
  return shared;
}

const projections = kernelPool<PixelExports>("pixels");

/** Kernels with a memory of their own, to be kept over awaits, until they are given back. */
export const takeProjectionKernels = projections.take;
export const giveBackProjectionKernels = projections.giveBack;
