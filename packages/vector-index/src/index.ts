export { buildIndex } from "./build.ts";
export { VectorIndexError, type VectorIndexErrorFields, type VectorIndexErrorTag } from "./errors.ts";
export { openIndex } from "./open.ts";
export type * from "./types.ts";
