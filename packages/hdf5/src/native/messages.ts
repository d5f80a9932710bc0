import { Hdf5Error } from "../errors.ts";
import type { H5Filter } from "../types.ts";
import { BeyondNative } from "./beyond-native.ts";
import { Cursor, nameText } from "./cursor.ts";
import type { FileBytes } from "./file-bytes.ts";

const maxRank = 32;
const maxFilters = 32;

export interface Dataspace {
  /** [] for a scalar, undefined for the null dataspace. */
  shape: number[] | undefined;
  /** Largest shape; undefined entries are unlimited. */
  maxShape: (number | undefined)[];
}

/** Dataspace message, versions 1 and 2. Source: HDF5 file format specification 3.0, IV.A.2.b. */
export function readDataspace(cursor: Cursor): Dataspace {
  const version = cursor.expectVersion(1, 2);
  const rank = cursor.u8();
  const bits = cursor.u8();
  const kind = version === 2 ? cursor.u8() : rank === 0 ? 0 : 1;
  if (version === 1) cursor.skip(5);
  if (rank > maxRank) throw new Hdf5Error("corrupt", `${cursor.what}: ${rank} axes, at most ${maxRank}`);
  if (kind > 2) throw new Hdf5Error("corrupt", `${cursor.what}: dataspace type ${kind}`);
  if (kind === 2) return { shape: undefined, maxShape: [] };
  const shape = Array.from({ length: rank }, () => cursor.length());
  const maxShape =
    (bits & 1) !== 0 ? Array.from({ length: rank }, () => cursor.optionalLength()) : shape.slice();
  const elements = shape.reduce((product, dim) => product * dim, 1);
  if (!Number.isSafeInteger(elements)) {
    throw new Hdf5Error("too-large", `${cursor.what}: shape [${shape}] has more than 2^53 elements`);
  }
  return { shape, maxShape };
}

/** How chunks are found: versions 1 to 3 of the layout know the B-tree only. */
export type ChunkIndex =
  | { kind: "b-tree-1" }
  | { kind: "single"; bytes: number | undefined; filterMask: number }
  | { kind: "implicit" | "fixed-array" | "extensible-array" | "b-tree-2" };

export type Layout =
  | { kind: "compact"; data: Uint8Array }
  | { kind: "contiguous"; address: number | undefined; bytes: number | undefined }
  | {
      kind: "chunked";
      /** Without the element size that ends the list on disk. */
      chunks: number[];
      elementBytes: number;
      index: ChunkIndex;
      address: number | undefined;
      /** Chunks that reach over the edge are stored without filters. */
      plainEdges: boolean;
      /** Bytes of a chunk's size in an index of filtered chunks; undefined: as many as the chunk's size needs. */
      sizeWidth: number | undefined;
    }
  | { kind: "virtual" };

/** Data layout message, versions 1 to 5. Source: HDF5 file format specification 3.0, IV.A.2.i. */
export function readLayout(cursor: Cursor): Layout {
  const version = cursor.expectVersion(1, 2, 3, 4, 5);
  if (version < 3) return readOldLayout(cursor);
  const kind = cursor.u8();
  if (kind === 0) return { kind: "compact", data: cursor.take(cursor.u16()) };
  if (kind === 1) return { kind: "contiguous", address: cursor.address(), bytes: cursor.length() };
  if (kind === 3) return { kind: "virtual" };
  if (kind !== 2) throw new Hdf5Error("corrupt", `${cursor.what}: layout class ${kind}`);
  if (version > 3) return readIndexedLayout(cursor, version);
  const rank = cursor.u8();
  const address = cursor.address();
  return chunked(cursor, readDims(cursor, rank, 4), { kind: "b-tree-1" }, address);
}

function readOldLayout(cursor: Cursor): Layout {
  const rank = cursor.u8();
  const kind = cursor.u8();
  cursor.skip(5);
  const address = kind === 0 ? undefined : cursor.address();
  const dims = readDims(cursor, rank, 4);
  if (kind === 0) return { kind: "compact", data: cursor.take(cursor.u32()) };
  if (kind === 1) return { kind: "contiguous", address, bytes: undefined };
  if (kind === 2) return chunked(cursor, dims, { kind: "b-tree-1" }, address);
  throw new Hdf5Error("corrupt", `${cursor.what}: layout class ${kind}`);
}

function readIndexedLayout(cursor: Cursor, version: number): Layout {
  const bits = cursor.u8();
  const rank = cursor.u8();
  const dims = readDims(cursor, rank, cursor.u8());
  const type = cursor.u8();
  const index = readIndex(cursor, type, bits);
  const layout = chunked(cursor, dims, index, cursor.address());
  return {
    ...layout,
    plainEdges: (bits & 1) !== 0,
    sizeWidth: version > 4 ? cursor.widths.length : undefined,
  };
}

/** Parameters of arrays and B-trees stand again in their own headers and are read from there. */
function readIndex(cursor: Cursor, type: number, bits: number): ChunkIndex {
  switch (type) {
    case 1:
      if ((bits & 2) === 0) return { kind: "single", bytes: undefined, filterMask: 0 };
      return { kind: "single", bytes: cursor.length(), filterMask: cursor.u32() };
    case 2:
      return { kind: "implicit" };
    case 3:
      cursor.skip(1);
      return { kind: "fixed-array" };
    case 4:
      cursor.skip(5);
      return { kind: "extensible-array" };
    case 5:
      cursor.skip(6);
      return { kind: "b-tree-2" };
    default:
      throw new BeyondNative(`${cursor.what}: chunk index type ${type} is not known`);
  }
}

function readDims(cursor: Cursor, rank: number, width: number): number[] {
  if (rank > maxRank + 1 || width < 1 || width > 8) {
    throw new Hdf5Error("corrupt", `${cursor.what}: ${rank} axes of ${width} bytes`);
  }
  return Array.from({ length: rank }, () => cursor.uint(width));
}

function chunked(
  cursor: Cursor,
  dims: number[],
  index: ChunkIndex,
  address: number | undefined,
): Extract<Layout, { kind: "chunked" }> {
  const elementBytes = dims.pop();
  if (elementBytes === undefined || dims.length === 0 || elementBytes === 0 || dims.includes(0)) {
    throw new Hdf5Error("corrupt", `${cursor.what}: chunks of shape [${dims}] and ${elementBytes} bytes`);
  }
  return {
    kind: "chunked",
    chunks: dims,
    elementBytes,
    index,
    address,
    plainEdges: false,
    sizeWidth: undefined,
  };
}

/** Filter pipeline message, versions 1 and 2. Source: HDF5 file format specification 3.0, IV.A.2.l. */
export function readFilters(cursor: Cursor): H5Filter[] {
  const version = cursor.expectVersion(1, 2);
  const count = cursor.u8();
  if (count > maxFilters) throw new Hdf5Error("corrupt", `${cursor.what}: ${count} filters`);
  if (version === 1) cursor.skip(6);
  return Array.from({ length: count }, () => {
    const id = cursor.u16();
    const nameBytes = version === 1 || id >= 256 ? cursor.u16() : 0;
    cursor.skip(2);
    const valueCount = cursor.u16();
    const start = cursor.at;
    const raw = cursor.take(nameBytes);
    if (version === 1) cursor.align(8, start);
    const nul = raw.indexOf(0);
    const values = Array.from({ length: valueCount }, () => cursor.u32());
    if (version === 1 && valueCount % 2 === 1) cursor.skip(4);
    return { id, name: nameText(nul < 0 ? raw : raw.subarray(0, nul)), values };
  });
}

export interface Fill {
  value: Uint8Array | undefined;
  /** The library leaves the reader's memory alone where nothing was written: zeros here. */
  never: boolean;
}

/** Fill value message, versions 1 to 3. Source: HDF5 file format specification 3.0, IV.A.2.f. */
export function readFill(cursor: Cursor): Fill {
  const version = cursor.expectVersion(1, 2, 3);
  if (version === 3) {
    const bits = cursor.u8();
    const never = ((bits >> 2) & 3) === 1;
    return { value: (bits & 0x20) !== 0 ? nonEmpty(cursor.take(cursor.u32())) : undefined, never };
  }
  cursor.skip(1);
  const never = cursor.u8() === 1;
  const defined = cursor.u8() !== 0;
  if (version === 2 && !defined) return { value: undefined, never };
  const size = cursor.u32();
  // Version 1 writes -1 where there is none.
  if (size >= 0x8000_0000) return { value: undefined, never };
  return { value: nonEmpty(cursor.take(size)), never };
}

/** The message of HDF5 before 1.6: nothing but the value. */
export function readOldFill(cursor: Cursor): Fill {
  return { value: nonEmpty(cursor.take(cursor.u32())), never: false };
}

function nonEmpty(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length === 0 ? undefined : bytes;
}

/** Cursor over a message's body. */
export function bodyCursor(file: FileBytes, body: Uint8Array, what: string): Cursor {
  return new Cursor(body, file.widths, `${file.path}: ${what}`);
}
