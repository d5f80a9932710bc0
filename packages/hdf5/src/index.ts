export { Hdf5Error, type Hdf5ErrorTag } from "./errors.ts";
export type * from "./types.ts";
export { openH5 } from "./wasm-reader.ts";
export { createH5 } from "./write/writer.ts";
