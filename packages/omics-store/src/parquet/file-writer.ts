import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { Bounds, ColumnChunkBytes, ScalarField } from "./column-buffer.ts";
import { type Compression, codec, encoding, MAGIC, physicalType, repetition } from "./format.ts";
import { pageLength } from "./page.ts";
import {
  binary,
  bool,
  encodeStruct,
  i32,
  i64,
  list,
  struct,
  type ThriftValue,
  text,
} from "./thrift-write.ts";

/** A list column: required lists of required INT32 or FLOAT, in the standard three levels. */
export interface ListField {
  name: string;
  element: "INT32" | "FLOAT";
}

/** Pages of a list column that were encoded elsewhere. */
export interface ListChunkBytes {
  /** Encoded pages, headers included, one after another; cut anywhere. Written when `rowGroup` is done. */
  parts: Uint8Array[];
  pages: { length: number; firstRow: number }[];
  entries: number;
  uncompressed: number;
  compression: Compression;
  delta: boolean;
}

/** One file in the making: row groups are appended, the footer comes last. Bytes are hashed as they are written. */
export interface ParquetFileWriter {
  readonly bytes: number;
  rowGroup(
    rows: number,
    scalars: readonly ColumnChunkBytes[],
    scalarCompression: Compression,
    lists: readonly ListChunkBytes[],
  ): Promise<void>;
  finish(): Promise<{ rows: number; bytes: number; sha256: string }>;
  abort(): Promise<void>;
}

const CREATED_BY = "cytomesh omics-store 2";

interface IndexParts {
  column: Uint8Array | undefined;
  offset: Uint8Array;
}

interface Chunk {
  meta: ThriftValue;
  indexes: IndexParts;
  start: number;
}

interface Group {
  rows: number;
  chunks: Chunk[];
  uncompressed: number;
  bytes: number;
  start: number;
}

export async function createParquetFile(
  path: string,
  scalars: readonly ScalarField[],
  lists: readonly ListField[],
): Promise<ParquetFileWriter> {
  const file: FileHandle = await open(path, "w");
  const hash = createHash("sha256");
  let at = 0;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  const flush = async (): Promise<void> => {
    const parts = waiting;
    waiting = [];
    waitingBytes = 0;
    for (const part of parts) hash.update(part);
    await writeAll(file, parts);
  };
  const put = async (bytes: Uint8Array): Promise<void> => {
    waiting.push(bytes);
    waitingBytes += bytes.length;
    at += bytes.length;
    if (waitingBytes > FLUSH_BYTES) await flush();
  };
  const groups: Group[] = [];
  const close = (): Promise<void> => file.close();
  await put(MAGIC);
  return {
    get bytes() {
      return at;
    },
    rowGroup: async (rows, scalarChunks, scalarCompression, listChunks) => {
      const group: Group = { rows, chunks: [], uncompressed: 0, bytes: 0, start: at };
      for (const [i, chunk] of scalarChunks.entries()) {
        const placed = placeScalar(scalars[i]!, chunk, scalarCompression, at);
        for (const page of [
          ...(chunk.dictionary ? [chunk.dictionary] : []),
          ...chunk.pages.map((p) => p.page),
        ])
          for (const part of page.parts) await put(part);
        group.chunks.push(placed);
        group.uncompressed += placed.uncompressed;
      }
      for (const [i, chunk] of listChunks.entries()) {
        group.chunks.push(placeList(lists[i]!, chunk, at));
        for (const part of chunk.parts) await put(part);
        group.uncompressed += chunk.uncompressed;
      }
      await flush();
      group.bytes = at - group.start;
      groups.push(group);
    },
    finish: async () => {
      const rowGroups = await putIndexes(groups, put, () => at);
      const rows = groups.reduce((sum, group) => sum + group.rows, 0);
      const footer = encodeStruct([
        [1, i32(2)],
        [2, list("struct", schemaOf(scalars, lists))],
        [3, i64(rows)],
        [4, list("struct", rowGroups)],
        [6, text(CREATED_BY)],
        // Bounds of every column are in the order of its type: without this, readers ignore bounds of strings.
        [
          7,
          list(
            "struct",
            Array.from([...scalars, ...lists], () => struct([1, struct()])),
          ),
        ],
      ]);
      await put(footer);
      const tail = new Uint8Array(8);
      new DataView(tail.buffer).setUint32(0, footer.length, true);
      tail.set(MAGIC, 4);
      await put(tail);
      await flush();
      await close();
      return { rows, bytes: at, sha256: hash.digest("hex") };
    },
    abort: close,
  };
}

/** Bytes gathered before they are written. */
const FLUSH_BYTES = 4 * 1024 ** 2;

async function writeAll(file: FileHandle, parts: Uint8Array[]): Promise<void> {
  let left = parts;
  while (left.length > 0) {
    let { bytesWritten } = await file.writev(left.slice(0, 512));
    let skip = 0;
    while (skip < left.length && bytesWritten >= left[skip]!.length) bytesWritten -= left[skip++]!.length;
    left = left.slice(skip);
    if (left.length > 0 && bytesWritten > 0) left[0] = left[0]!.subarray(bytesWritten);
  }
}

const statistics = ({ min, max, nulls }: Bounds): ThriftValue =>
  struct([3, i64(nulls)], [5, max && binary(max)], [6, min && binary(min)]);

const pageLocation = (offset: number, bytes: number, firstRow: number): ThriftValue =>
  struct([1, i64(offset)], [2, i32(bytes)], [3, i64(firstRow)]);

function placeScalar(
  field: ScalarField,
  chunk: ColumnChunkBytes,
  compression: Compression,
  start: number,
): Chunk & { uncompressed: number } {
  const dictionaryBytes = chunk.dictionary ? pageLength(chunk.dictionary) : 0;
  let at = start + dictionaryBytes;
  let uncompressed = chunk.dictionary?.uncompressed ?? 0;
  const locations: ThriftValue[] = [];
  for (const { page, firstRow } of chunk.pages) {
    const bytes = pageLength(page);
    locations.push(pageLocation(at, bytes, firstRow));
    at += bytes;
    uncompressed += page.uncompressed;
  }
  const meta = struct(
    [1, i32(physicalType[physicalOf(field)])],
    [2, list("i32", chunk.encodings.map(i32))],
    [3, list("binary", [text(field.name)])],
    [4, i32(codec[compression])],
    [5, i64(chunk.values)],
    [6, i64(uncompressed)],
    [7, i64(at - start)],
    [9, i64(start + dictionaryBytes)],
    [11, chunk.dictionary ? i64(start) : undefined],
    [12, statistics(chunk.bounds)],
  );
  return {
    meta,
    start,
    uncompressed,
    indexes: {
      column: columnIndex(chunk),
      offset: encodeStruct([[1, list("struct", locations)]]),
    },
  };
}

/** Bounds of every page, for readers that skip by filters; none when a page's bounds are unknown. */
function columnIndex(chunk: ColumnChunkBytes): Uint8Array | undefined {
  const empty = new Uint8Array(0);
  const pages = chunk.pages.map(({ bounds, rows }) => ({ ...bounds, allNull: bounds.nulls === rows }));
  if (pages.some((p) => !p.allNull && (p.min === undefined || p.max === undefined))) return undefined;
  return encodeStruct([
    [
      1,
      list(
        "bool",
        pages.map((p) => bool(p.allNull)),
      ),
    ],
    [
      2,
      list(
        "binary",
        pages.map((p) => binary(p.min ?? empty)),
      ),
    ],
    [
      3,
      list(
        "binary",
        pages.map((p) => binary(p.max ?? empty)),
      ),
    ],
    [4, i32(0)],
    [
      5,
      list(
        "i64",
        pages.map((p) => i64(p.nulls)),
      ),
    ],
  ]);
}

function placeList(field: ListField, chunk: ListChunkBytes, start: number): Chunk {
  let at = start;
  const locations = chunk.pages.map(({ length, firstRow }) => {
    const location = pageLocation(at, length, firstRow);
    at += length;
    return location;
  });
  const encodings = [encoding.RLE, chunk.delta ? encoding.DELTA_BINARY_PACKED : encoding.PLAIN];
  const meta = struct(
    [1, i32(physicalType[field.element])],
    [2, list("i32", encodings.map(i32))],
    [3, list("binary", [field.name, "list", "element"].map(text))],
    [4, i32(codec[chunk.compression])],
    [5, i64(chunk.entries)],
    [6, i64(chunk.uncompressed)],
    [7, i64(at - start)],
    [9, i64(start)],
  );
  return {
    meta,
    start,
    indexes: { column: undefined, offset: encodeStruct([[1, list("struct", locations)]]) },
  };
}

/** Column indexes of all row groups, then offset indexes, as the format asks; returns the row groups' metadata. */
async function putIndexes(
  groups: readonly Group[],
  put: (bytes: Uint8Array) => Promise<void>,
  position: () => number,
): Promise<ThriftValue[]> {
  const placed = new Map<Uint8Array, number>();
  const all = groups.flatMap((group) => group.chunks.map((chunk) => chunk.indexes));
  for (const bytes of [...all.flatMap((i) => i.column ?? []), ...all.map((i) => i.offset)]) {
    placed.set(bytes, position());
    await put(bytes);
  }
  return groups.map((group) => {
    const columns = group.chunks.map(({ meta, start, indexes: { column, offset } }) =>
      struct(
        [2, i64(start)],
        [3, meta],
        [4, i64(placed.get(offset)!)],
        [5, i32(offset.length)],
        [6, column && i64(placed.get(column)!)],
        [7, column && i32(column.length)],
      ),
    );
    return struct(
      [1, list("struct", columns)],
      [2, i64(group.uncompressed)],
      [3, i64(group.rows)],
      [5, i64(group.start)],
      [6, i64(group.bytes)],
    );
  });
}

function physicalOf({ type }: ScalarField): keyof typeof physicalType {
  const types = {
    string: "BYTE_ARRAY",
    int64: "INT64",
    int32: "INT32",
    double: "DOUBLE",
    bool: "BOOLEAN",
  } as const;
  return types[type];
}

function schemaOf(scalars: readonly ScalarField[], lists: readonly ListField[]): ThriftValue[] {
  const STRING = { converted: 0, logical: struct([1, struct()]) };
  const LIST = { converted: 3, logical: struct([3, struct()]) };
  const root = struct([4, text("schema")], [5, i32(scalars.length + lists.length)]);
  const scalar = (field: ScalarField): ThriftValue => {
    const isText = field.type === "string";
    return struct(
      [1, i32(physicalType[physicalOf(field)])],
      [3, i32(field.optional ? repetition.optional : repetition.required)],
      [4, text(field.name)],
      [6, isText ? i32(STRING.converted) : undefined],
      [10, isText ? STRING.logical : undefined],
    );
  };
  const listed = (field: ListField): ThriftValue[] => [
    struct(
      [3, i32(repetition.required)],
      [4, text(field.name)],
      [5, i32(1)],
      [6, i32(LIST.converted)],
      [10, LIST.logical],
    ),
    struct([3, i32(repetition.repeated)], [4, text("list")], [5, i32(1)]),
    struct([1, i32(physicalType[field.element])], [3, i32(repetition.required)], [4, text("element")]),
  ];
  return [root, ...scalars.map(scalar), ...lists.flatMap(listed)];
}
