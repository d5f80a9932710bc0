import { instantiate, type WasmMemory } from "./instantiate.ts";

/** What `assembly/resize.ts` exports. */
interface ResizeExports {
  readonly memory: WasmMemory;
  heapBase(): number;
  /** `job` is a `Job`: its fields are 32 bits each, in their order. */
  bilinearRows(size: number, job: number, to: number, rows: number, count: number): void;
  nearestRows(
    size: number,
    from: number,
    fromStride: number,
    to: number,
    rows: number,
    count: number,
    values: number,
    at: number,
  ): void;
}

let loaded: ResizeExports | undefined;

/** The kernels of this thread; they share one memory, so a caller must not await between filling and emptying it. */
export function resizeKernels(): ResizeExports {
  loaded ??= instantiate<ResizeExports>("resize");
  return loaded;
}
