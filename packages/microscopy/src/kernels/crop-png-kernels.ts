import { instantiate, type WasmMemory } from "./instantiate.ts";

/** What `assembly/crop-png.ts` exports. */
export interface CropPngExports {
  readonly memory: WasmMemory;
  heapBase(): number;
  workBytes(width: number, height: number, kind: number): number;
  roomFor(width: number, height: number, kind: number): number;
  encode(
    kind: number,
    red: number,
    green: number,
    blue: number,
    width: number,
    height: number,
    left: number,
    top: number,
    columns: number,
    rows: number,
    work: number,
    to: number,
  ): number;
}

/** Memory beyond which kernels are given up rather than kept: a big field must not weigh on the process for ever. */
const KEEP_BYTES = 128 * 1024 * 1024;

const idle: CropPngExports[] = [];

/** Kernels with a memory that is the caller's until they are given back. */
export function takeCropPngKernels(): CropPngExports {
  return idle.pop() ?? instantiate<CropPngExports>("crop-png");
}

export function giveBackCropPngKernels(kernels: CropPngExports): void {
  if (kernels.memory.buffer.byteLength <= KEEP_BYTES && idle.length < 4) idle.push(kernels);
}
