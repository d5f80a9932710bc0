import { OmicsStoreError } from "../errors.ts";
import type { CountsType } from "../types.ts";
import { type Compression, codec, MAGIC, physicalType } from "./format.ts";
import {
  decodeStruct,
  listField,
  numberField,
  type ParsedStruct,
  structField,
  ThriftError,
} from "./thrift-read.ts";

/** Bytes of a file in pages of one list column. */
export interface PageRange {
  offset: number;
  bytes: number;
}

/** One page of both lists: the same cells. */
export interface MatrixPage {
  /** Row of the file. */
  firstRow: number;
  rows: number;
  ids: PageRange;
  counts: PageRange;
  codecs: { ids: Compression; counts: Compression };
}

/** Reads `bytes` at `offset` of the file, all of them. */
export type ReadRange = (offset: number, bytes: number) => Uint8Array;

/** A footer, or an index, longer than this was not written by this package. */
const MAX_METADATA_BYTES = 32 * 1024 ** 2;

const decoder = new TextDecoder();

/**
 * The pages of the lists of one cells file, in row order, every offset checked against the file.
 * Throws `corrupt` when the file is not one of this package with `expected.rows` rows.
 */
export function readMatrixPages(
  path: string,
  size: number,
  read: ReadRange,
  expected: { rows: number; countsType: CountsType },
): MatrixPage[] {
  const fail = (what: string): never => {
    throw new OmicsStoreError("corrupt", `${path}: ${what}; fetch the ingest again`);
  };
  const parse = (what: string, bytes: Uint8Array): ParsedStruct => {
    try {
      return decodeStruct(bytes).fields;
    } catch (error) {
      if (error instanceof ThriftError) return fail(`${what} cannot be read: ${error.message}`);
      throw error;
    }
  };
  if (size < 12) fail(`${size} bytes are no Parquet file`);
  const tail = read(size - 8, 8);
  if (MAGIC.some((byte, i) => tail[4 + i] !== byte)) fail("it does not end as a Parquet file does");
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  if (length > Math.min(size - 12, MAX_METADATA_BYTES)) fail(`a footer of ${length} bytes does not fit`);
  const dataEnd = size - 8 - length;
  const footer = parse("the footer", read(dataEnd, length));
  const groups = listField(footer, 4) ?? fail("the footer has no row groups");
  const within = (offset: number | undefined, bytes: number | undefined): PageRange => {
    if (offset === undefined || bytes === undefined || offset < 4 || bytes < 1 || offset + bytes > dataEnd)
      return fail(`${bytes} bytes at ${offset} are not inside its data (4..${dataEnd})`);
    return { offset, bytes };
  };

  const locations = (chunk: ParsedStruct, rows: number): { range: PageRange; firstRow: number }[] => {
    const index = within(numberField(chunk, 4), numberField(chunk, 5));
    if (index.bytes > MAX_METADATA_BYTES) fail(`an offset index of ${index.bytes} bytes is too long`);
    const parsed = parse("an offset index", read(index.offset, index.bytes));
    const pages = listField(parsed, 1) ?? fail("an offset index has no pages");
    let before = -1;
    return pages.map((page) => {
      if (!(page instanceof Map)) return fail("an offset index has a page that is no struct");
      const firstRow = numberField(page, 3) ?? -1;
      if (firstRow <= before || firstRow >= rows || (before === -1 && firstRow !== 0))
        fail(`an offset index has a page from row ${firstRow} after one from ${before}, of ${rows}`);
      before = firstRow;
      return { range: within(numberField(page, 1), numberField(page, 2)), firstRow };
    });
  };

  const result: MatrixPage[] = [];
  let start = 0;
  for (const group of groups) {
    if (!(group instanceof Map)) return fail("a row group is no struct");
    const rows = numberField(group, 3) ?? 0;
    if (rows < 1 || rows > expected.rows - start)
      fail(`a row group has ${rows} rows, ${expected.rows - start} are left of ${expected.rows}`);
    const chunk = (name: string, type: number): { fields: ParsedStruct; compression: Compression } => {
      for (const column of listField(group, 1) ?? []) {
        if (!(column instanceof Map)) continue;
        const meta = structField(column, 3);
        const names = (listField(meta, 3) ?? []).map((part) =>
          part instanceof Uint8Array ? decoder.decode(part) : "",
        );
        if (names.length !== 3 || names[0] !== name) continue;
        if (numberField(meta, 1) !== type) fail(`${name} has type ${numberField(meta, 1)}, expected ${type}`);
        const id = numberField(meta, 4);
        if (id !== codec.none && id !== codec.zstd) fail(`${name} has codec ${id}, expected none or zstd`);
        return { fields: column, compression: id === codec.zstd ? "zstd" : "none" };
      }
      return fail(`a row group has no column ${name}`);
    };
    const ids = chunk("feature_ids", physicalType.INT32);
    const counts = chunk("counts", expected.countsType === "int32" ? physicalType.INT32 : physicalType.FLOAT);
    const idPages = locations(ids.fields, rows);
    const countPages = locations(counts.fields, rows);
    if (idPages.length === 0 || idPages.length !== countPages.length)
      fail(`feature_ids has ${idPages.length} pages in a row group, counts ${countPages.length}`);
    const codecs = { ids: ids.compression, counts: counts.compression };
    idPages.forEach((page, i) => {
      const other = countPages[i]!;
      if (other.firstRow !== page.firstRow)
        fail(`feature_ids has a page from row ${page.firstRow}, counts from ${other.firstRow}`);
      const end = idPages[i + 1]?.firstRow ?? rows;
      result.push({
        firstRow: start + page.firstRow,
        rows: end - page.firstRow,
        ids: page.range,
        counts: other.range,
        codecs,
      });
    });
    start += rows;
  }
  if (start !== expected.rows || numberField(footer, 3) !== expected.rows)
    fail(`${expected.rows} rows were expected, found ${start} in its row groups`);
  return result;
}
