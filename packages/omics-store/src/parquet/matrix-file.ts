import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32, zstdDecompressSync } from "node:zlib";
import { OmicsStoreError } from "../errors.ts";
import type { CountsType } from "../types.ts";
import { type Compression, encoding, pageType } from "./format.ts";
import type { MatrixMemory } from "./matrix-memory.ts";
import { type MatrixPage, type PageRange, readMatrixPages } from "./read-footer.ts";
import { readListLevels } from "./read-levels.ts";
import { decodeStruct, numberField, structField, ThriftError } from "./thrift-read.ts";

/** A page of both lists, decoded into a matrix memory; void as soon as that is used for the next one. */
export interface DecodedPage {
  firstRow: number;
  rows: number;
  /** Where every cell's lists begin; rows + 1 entries. */
  offsets: Int32Array;
  /** Addresses of the ids (int32) and counts (int32 or float32). */
  ids: number;
  counts: number;
  /** Addresses of two scratch regions, each for the longest list. */
  scratch: [number, number];
}

/** The lists of one cells file. */
export interface MatrixFile {
  readonly path: string;
  readonly pages: readonly MatrixPage[];
  decode(page: MatrixPage): DecodedPage;
  close(): void;
}

/** No page of this package is longer: six million values, five bytes each. */
const MAX_BODY_BYTES = 64 * 1024 ** 2;

/** Bytes that the head of a block of 128 values takes at least. */
const DELTA_BLOCK_HEAD = 5;

interface Body {
  bytes: Uint8Array;
  entries: number;
  delta: boolean;
  /** Address of `bytes` in the matrix memory, when they are there. */
  at?: number;
}

/**
 * Opens the lists of a cells file; pages are then read and decoded one at a time. `keep` bytes at the beginning of the memory stay as they
 * are. Throws `corrupt` for whatever the file holds instead: offsets, lengths, checksums and counts are all checked before they are used.
 */
export function openMatrixFile(
  path: string,
  expected: { rows: number; countsType: CountsType },
  memory: MatrixMemory,
  keep = 0,
): MatrixFile {
  const fd = openFile(path);
  const fail = (what: string): never => {
    throw new OmicsStoreError("corrupt", `${path}: ${what}; fetch the ingest again`);
  };
  const read = (offset: number, length: number, bytes: Uint8Array = new Uint8Array(length)): Uint8Array => {
    for (let at = 0; at < length; ) {
      const got = readSync(fd, bytes, at, length - at, offset + at);
      if (got === 0) fail(`it ends at ${offset + at}, inside ${length} bytes at ${offset}`);
      at += got;
    }
    return bytes;
  };
  const bodyOf = (page: MatrixPage, range: PageRange, compression: Compression, at: number): Body => {
    const bytes = read(range.offset, range.bytes, memory.bytes(at, range.bytes));
    const body = pageBody(bytes, compression, page.rows, (what) => fail(`page at ${range.offset}: ${what}`));
    return compression === "none" ? { ...body, at: body.bytes.byteOffset } : body;
  };
  try {
    const pages = readMatrixPages(path, fstatSync(fd).size, read, expected);
    return {
      path,
      pages,
      decode: (page) => {
        const where = (what: string): never => fail(`rows from ${page.firstRow} on: ${what}`);
        for (const { bytes } of [page.ids, page.counts])
          if (bytes > MAX_BODY_BYTES) fail(`a page of ${bytes} bytes is too long`);
        const sizes: [number, number, number] = [keep, page.ids.bytes, page.counts.bytes];
        const [, idsAt, countsAt] = memory.layout(...sizes) as [number, number, number];
        const idBody = bodyOf(page, page.ids, page.codecs.ids, idsAt);
        const countBody = bodyOf(page, page.counts, page.codecs.counts, countsAt);
        if (expected.countsType === "float32" && countBody.delta)
          where("float counts cannot be delta-packed");
        return decodePage(memory, sizes, page, idBody, countBody, where);
      },
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw new OmicsStoreError("corrupt", `${path} cannot be opened; fetch the ingest again`, { cause });
  }
}

/** The body of a data page, header and checksum checked, not compressed any more. */
function pageBody(
  bytes: Uint8Array,
  compression: Compression,
  rows: number,
  fail: (what: string) => never,
): Body {
  let header: ReturnType<typeof decodeStruct>;
  try {
    header = decodeStruct(bytes);
  } catch (error) {
    if (error instanceof ThriftError) return fail(`its header cannot be read: ${error.message}`);
    throw error;
  }
  const { fields, end } = header;
  const packed = bytes.subarray(end);
  const size = numberField(fields, 2) ?? -1;
  const data = structField(fields, 5);
  if (numberField(fields, 1) !== pageType.data || data === undefined) fail("it is no version 1 data page");
  if (numberField(fields, 3) !== packed.length)
    fail(`its header says ${numberField(fields, 3)} bytes, there are ${packed.length}`);
  if (numberField(fields, 4) !== (crc32(packed) | 0)) fail("its checksum does not fit its bytes");
  if (size < 0 || size > MAX_BODY_BYTES) fail(`${size} uncompressed bytes are too many`);
  const body = compression === "zstd" ? decompress(packed, size, fail) : packed;
  if (body.length !== size) fail(`${size} uncompressed bytes were expected, found ${body.length}`);
  const entries = numberField(data, 1) ?? -1;
  const kind = numberField(data, 2);
  if (kind !== encoding.PLAIN && kind !== encoding.DELTA_BINARY_PACKED)
    fail(`encoding ${kind} is not one of lists`);
  const delta = kind === encoding.DELTA_BINARY_PACKED;
  const most = rows + (delta ? Math.ceil(body.length / DELTA_BLOCK_HEAD) * 128 + 1 : body.length / 4);
  if (entries < rows || entries > most)
    fail(`${entries} entries do not fit ${body.length} bytes and ${rows} cells`);
  return { bytes: body, entries, delta };
}

function decompress(packed: Uint8Array, size: number, fail: (what: string) => never): Uint8Array {
  try {
    return zstdDecompressSync(packed, { maxOutputLength: Math.max(1, size) });
  } catch (error) {
    return fail(`its bytes are no zstd of ${size}: ${(error as Error).message}`);
  }
}

function decodePage(
  memory: MatrixMemory,
  /** What is kept at the beginning, and the bytes of both pages as they were read. */
  read: [number, number, number],
  page: MatrixPage,
  idBody: Body,
  countBody: Body,
  fail: (what: string) => never,
): DecodedPage {
  const levels = readListLevels(idBody.bytes, page.rows, idBody.entries);
  if (levels === undefined) return fail("the levels of feature_ids do not fit");
  const { offsets, end } = levels;
  // The writer gives both columns the same levels, byte for byte.
  if (
    countBody.entries !== idBody.entries ||
    Buffer.compare(idBody.bytes.subarray(0, end), countBody.bytes.subarray(0, end)) !== 0
  )
    fail("feature_ids and counts differ in length");
  const nnz = offsets[page.rows]!;
  let longest = 0;
  for (let row = 0; row < page.rows; row++) longest = Math.max(longest, offsets[row + 1]! - offsets[row]!);
  // The first three lie where they were: growing a memory moves nothing, it only voids the views, which have no length then.
  const [idBytes, countBytes] = [idBody.bytes.length - end, countBody.bytes.length - end];
  const unpacked = (body: Body): number => (body.delta && body.at === undefined ? body.bytes.length : 0);
  const [, , , body, ids, counts, columns, data] = memory.layout(
    ...read,
    Math.max(unpacked(idBody), unpacked(countBody)),
    nnz * 4,
    nnz * 4,
    longest * 4,
    longest * 4,
  ) as [number, number, number, number, number, number, number, number];
  const values = (name: string, { bytes, delta, at }: Body, length: number, to: number): void => {
    const packed = at === undefined ? bytes.subarray(end) : memory.bytes(at + end, length);
    if (!delta) {
      if (length !== nnz * 4) fail(`${name} has ${length} bytes for ${nnz} values`);
      memory.bytes(to, length).set(packed);
      return;
    }
    const from = at === undefined ? body : at + end;
    if (at === undefined) memory.bytes(body, length).set(packed);
    const last = memory.kernels.decodeDelta(from, from + length, nnz, to);
    if (last !== from + length) fail(`the ${nnz} values of ${name} do not fit their ${length} bytes`);
  };
  values("feature_ids", idBody, idBytes, ids);
  values("counts", countBody, countBytes, counts);
  return { firstRow: page.firstRow, rows: page.rows, offsets, ids, counts, scratch: [columns, data] };
}
