export { Hdf5Error, type Hdf5ErrorTag } from "./errors.ts";
export { openH5 } from "./open.ts";
export type * from "./types.ts";
export { createH5 } from "./write/writer.ts";
