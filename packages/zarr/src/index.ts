export { ZarrError, type ZarrErrorTag } from "./errors.ts";
export { openStore, openZarr } from "./open.ts";
export { openZarrAsync } from "./open-async.ts";
export {
  openParallel,
  type ParallelOptions,
  type ParallelReader,
  type ParallelReadOptions,
} from "./parallel.ts";
export type * from "./types.ts";
export type { AppendableArray, ArrayInput } from "./write/array-writer.ts";
export { createZarr, type WriterOptions, type ZarrWriter } from "./write/writer.ts";
export { openZip, type Zip, type ZipOptions } from "./zip/zip.ts";
