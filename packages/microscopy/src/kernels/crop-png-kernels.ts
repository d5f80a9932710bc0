import { kernelPool, type WasmMemory } from "./instantiate.ts";

/** What `assembly/crop-png.ts` exports: see there. `kind` 1 is grey, 2 RGB without red, 3 RGB; planes and plans are addresses. */
export interface CropPngExports {
  readonly memory: WasmMemory;
  heapBase(): number;
  chooseFilter(
    red: number,
    green: number,
    blue: number,
    width: number,
    left: number,
    right: number,
    top: number,
    bottom: number,
  ): number;
  planBytes(kind: number, rows: number, columns: number, cuts: number): number;
  layOut(
    plan: number,
    kind: number,
    red: number,
    green: number,
    blue: number,
    width: number,
    height: number,
    top: number,
    bottom: number,
    columns: number,
    filter: number,
    cuts: number,
  ): void;
  cutsOf(plan: number): number;
  bandCount(plan: number): number;
  workBytes(kind: number, columns: number): number;
  bandRoom(kind: number, columns: number): number;
  codeBand(plan: number, index: number, work: number, to: number): number;
  roomFor(kind: number, columns: number, rows: number): number;
  cut(plan: number, left: number, top: number, columns: number, rows: number, to: number): number;
}

const pool = kernelPool<CropPngExports>("crop-png");

/** Kernels with a memory that is the caller's until they are given back. */
export const takeCropPngKernels = pool.take;
export const giveBackCropPngKernels = pool.giveBack;
