/** The door for threads that only encode: it loads no DuckDB. */
export { OmicsStoreError } from "./errors.ts";
export { PAGE_CELLS as defaultPageCells } from "./parquet/format.ts";
export { type EncodedPages, type EncodeOptions, encodeMatrixPages } from "./parquet/matrix-pages.ts";
