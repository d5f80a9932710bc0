export { Hdf5Error, type Hdf5ErrorTag } from "./errors.ts";
export { openH5 } from "./open.ts";
export {
  type BatchOptions,
  type NumberBatch,
  type ParallelOptions,
  readBatches,
  readParallel,
  type WholeOptions,
} from "./parallel/read-parallel.ts";
export type * from "./types.ts";
export { createH5, type WriterOptions } from "./write/writer.ts";
