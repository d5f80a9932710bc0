import { decodeChunk } from "../codecs/decode-chunk.ts";
import { Hdf5Error } from "../errors.ts";
import { filterRoute } from "../filters.ts";
import type { H5Filter } from "../types.ts";
import { visitRecords } from "./b-tree-2.ts";
import { BeyondNative } from "./beyond-native.ts";
import { bytesToHold, type Cursor } from "./cursor.ts";
import { type FileBytes, verify } from "./file-bytes.ts";
import { bodyCursor, readFilters } from "./messages.ts";

const maxObjectBytes = 64 * 1024 * 1024;
const maxTableDepth = 64;

interface Heap {
  what: string;
  idBytes: number;
  filters: H5Filter[];
  maxManagedBytes: number;
  hugeTree: number | undefined;
  checksums: boolean;
  width: number;
  startBytes: number;
  maxDirectBytes: number;
  offsetBytes: number;
  root: number | undefined;
  rootRows: number;
  /** Stored size and filter mask of the root direct block, where blocks are filtered. */
  rootStored: { bytes: number; mask: number } | undefined;
}

/** Blocks read so far: objects that follow each other lie in the same ones. */
interface Blocks {
  direct: Map<number, Uint8Array>;
  indirect: Map<number, Cursor>;
}

export type ReadHeapObject = (id: Uint8Array) => Uint8Array;

/**
 * Opens a fractal heap: where links, attributes and shared messages lie that are too many for an object header.
 * Source: HDF5 file format specification 3.0, III.G.
 *
 * @returns reads the object of a heap id
 * @throws Hdf5Error "corrupt" | "unsupported"
 */
export function openFractalHeap(file: FileBytes, address: number): ReadHeapObject {
  const heap = readHeader(file, address);
  const blocks: Blocks = { direct: new Map(), indirect: new Map() };
  let huge: Map<number, { address: number; bytes: number; mask: number; size: number }> | undefined;

  function managed(id: Cursor): Uint8Array {
    const offset = id.uint(heap.offsetBytes);
    const length = id.uint(Math.min(bytesToHold(heap.maxDirectBytes), bytesToHold(heap.maxManagedBytes)));
    const { block, at } = findBlock(file, heap, blocks, offset);
    if (offset - at + length > block.length) {
      throw new Hdf5Error(
        "corrupt",
        `${heap.what}: an object of ${length} bytes at ${offset} leaves its block`,
      );
    }
    return block.subarray(offset - at, offset - at + length);
  }

  function hugeObject(id: Cursor): Uint8Array {
    const { address: addressWidth, length: lengthWidth } = file.widths;
    const filtered = heap.filters.length > 0;
    const direct = addressWidth + lengthWidth + (filtered ? 4 + lengthWidth : 0) <= heap.idBytes - 1;
    if (direct) {
      const at = id.address();
      const bytes = id.length();
      const mask = filtered ? id.u32() : 0;
      return fetch(at, bytes, mask, filtered ? id.length() : bytes);
    }
    huge ??= readHugeTree();
    const key = id.uint(Math.min(8, heap.idBytes - 1));
    const found = huge.get(key);
    if (found === undefined) throw new Hdf5Error("corrupt", `${heap.what}: there is no huge object ${key}`);
    return fetch(found.address, found.bytes, found.mask, found.size);
  }

  function readHugeTree(): NonNullable<typeof huge> {
    const objects: NonNullable<typeof huge> = new Map();
    if (heap.hugeTree === undefined) return objects;
    visitRecords(file, heap.hugeTree, [1, 2], (record, type) => {
      const at = record.address();
      const bytes = record.length();
      const mask = type === 2 ? record.u32() : 0;
      const size = type === 2 ? record.length() : bytes;
      const key = record.length();
      if (at !== undefined) objects.set(key, { address: at, bytes, mask, size });
    });
    return objects;
  }

  function fetch(at: number | undefined, bytes: number, mask: number, size: number): Uint8Array {
    if (at === undefined || size > maxObjectBytes || bytes > maxObjectBytes) {
      throw new Hdf5Error("corrupt", `${heap.what}: a huge object of ${size} bytes at ${at}`);
    }
    const stored = file.read(at, bytes, heap.what);
    if (heap.filters.length === 0) return stored;
    return decodeChunk(stored, heap.filters, 1, size, mask, `${heap.what}, huge object`);
  }

  return (idBytes) => {
    const id = bodyCursor(file, idBytes, `heap id in ${heap.what}`);
    const first = id.u8();
    if (first >> 6 !== 0) throw new Hdf5Error("corrupt", `${id.what}: version ${first >> 6}`);
    const kind = (first >> 4) & 3;
    if (kind === 0) return managed(id);
    if (kind === 1) return hugeObject(id);
    if (kind === 2) {
      // Tiny: the object is the id. Long ids have a 12-bit length.
      const length = heap.idBytes - 1 > 16 ? (((first & 15) << 8) | id.u8()) + 1 : (first & 15) + 1;
      return id.take(length);
    }
    throw new Hdf5Error("corrupt", `${id.what}: object type ${kind}`);
  };
}

function readHeader(file: FileBytes, address: number): Heap {
  const { address: addressWidth, length: lengthWidth } = file.widths;
  const what = `fractal heap at ${address}`;
  const fixed = 4 + 1 + 2 + 2 + 1 + 4 + 12 * lengthWidth + 3 * addressWidth + 2 + 2 + 2 + 2;
  const filterBytes = file.cursor(address + 7, 2, what).u16();
  const extra = filterBytes === 0 ? 0 : lengthWidth + 4 + filterBytes;
  const head = file.checked(address, fixed + extra + 4, what);
  head.expect("FRHP");
  head.expectVersion(0);
  const idBytes = head.u16();
  head.skip(2);
  const bits = head.u8();
  const maxManagedBytes = head.u32();
  head.length();
  const hugeTree = head.address();
  head.skip(lengthWidth + addressWidth + 8 * lengthWidth);
  const width = head.u16();
  const startBytes = head.length();
  const maxDirectBytes = head.length();
  const heapBits = head.u16();
  head.skip(2);
  const root = head.address();
  const rootRows = head.u16();
  const rootStored = filterBytes === 0 ? undefined : { bytes: head.length(), mask: head.u32() };
  const filters = filterBytes === 0 ? [] : readFilters(head.over(head.take(filterBytes)));
  const powers = [width, startBytes, maxDirectBytes].every((value) => value > 0 && isPowerOfTwo(value));
  if (
    !powers ||
    startBytes > maxDirectBytes ||
    maxDirectBytes > maxObjectBytes ||
    heapBits > 64 ||
    idBytes < 2
  ) {
    throw new Hdf5Error(
      "corrupt",
      `${head.what}: blocks of ${startBytes} to ${maxDirectBytes} bytes, ${width} a row, ids of ${idBytes} bytes`,
    );
  }
  if (filterRoute(filters, head.what) === "fallback") {
    throw new BeyondNative(`${head.what}: filter ${filters.map(({ id }) => id)} is not decoded here`);
  }
  return {
    what: head.what,
    idBytes,
    filters,
    maxManagedBytes,
    hugeTree,
    checksums: (bits & 2) !== 0,
    width,
    startBytes,
    maxDirectBytes,
    offsetBytes: Math.ceil(heapBits / 8),
    root,
    rootRows,
    rootStored,
  };
}

const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value));

/** Size of every block in a row of the doubling table. */
function rowBlockBytes(heap: Heap, row: number): number {
  return heap.startBytes * 2 ** Math.max(0, row - 1);
}

/** The direct block that holds a heap offset, and the offset at which it begins. */
function findBlock(
  file: FileBytes,
  heap: Heap,
  blocks: Blocks,
  offset: number,
): { block: Uint8Array; at: number } {
  if (heap.root === undefined) throw new Hdf5Error("corrupt", `${heap.what}: it holds nothing`);
  if (heap.rootRows === 0) {
    const stored = heap.rootStored ?? { bytes: heap.startBytes, mask: 0 };
    return { block: directBlock(file, heap, blocks, heap.root, heap.startBytes, stored), at: 0 };
  }
  let address = heap.root;
  let rows = heap.rootRows;
  let base = 0;
  for (let depth = 0; depth < maxTableDepth; depth++) {
    const found = locate(heap, offset - base);
    if (found.row >= rows) {
      throw new Hdf5Error("corrupt", `${heap.what}: offset ${offset} lies beyond its ${rows} rows of blocks`);
    }
    const child = readChild(file, heap, blocks, address, rows, found.row, found.column);
    if (child.address === undefined) {
      throw new Hdf5Error("corrupt", `${heap.what}: the block of offset ${offset} does not exist`);
    }
    base += found.start;
    if (found.bytes <= heap.maxDirectBytes) {
      const stored = { bytes: child.bytes ?? found.bytes, mask: child.mask };
      return { block: directBlock(file, heap, blocks, child.address, found.bytes, stored), at: base };
    }
    address = child.address;
    rows = Math.log2(found.bytes) - Math.log2(heap.startBytes * heap.width) + 1;
  }
  throw new Hdf5Error("corrupt", `${heap.what}: indirect blocks nested more than ${maxTableDepth} deep`);
}

function locate(heap: Heap, offset: number): { row: number; column: number; start: number; bytes: number } {
  const rowBytes = heap.width * heap.startBytes;
  const row = offset < rowBytes ? 0 : Math.floor(Math.log2(offset / rowBytes)) + 1;
  const rowStart = row === 0 ? 0 : rowBytes * 2 ** (row - 1);
  const bytes = rowBlockBytes(heap, row);
  const column = Math.floor((offset - rowStart) / bytes);
  return { row, column, start: rowStart + column * bytes, bytes };
}

/** One entry of an indirect block: direct children come first, with size and mask where blocks are filtered. */
function readChild(
  file: FileBytes,
  heap: Heap,
  blocks: Blocks,
  address: number,
  rows: number,
  row: number,
  column: number,
): { address: number | undefined; bytes: number | undefined; mask: number } {
  const directRows = Math.min(rows, Math.log2(heap.maxDirectBytes / heap.startBytes) + 2);
  const filtered = heap.filters.length > 0;
  const entryBytes = file.widths.address + (filtered ? file.widths.length + 4 : 0);
  const direct = directRows * heap.width;
  const indirect = (rows - directRows) * heap.width;
  const before = 5 + file.widths.address + heap.offsetBytes;
  const total = before + direct * entryBytes + indirect * file.widths.address + 4;
  let block = blocks.indirect.get(address);
  if (block === undefined || block.bytes.length !== total - 4) {
    block = file.checked(address, total, `${heap.what}: indirect block at ${address}`);
    block.expect("FHIB");
    block.expectVersion(0);
    blocks.indirect.set(address, block);
  }
  const index = row * heap.width + column;
  if (row >= directRows) {
    block.at = before + direct * entryBytes + (index - direct) * file.widths.address;
    return { address: block.address(), bytes: undefined, mask: 0 };
  }
  block.at = before + index * entryBytes;
  const child = block.address();
  return filtered
    ? { address: child, bytes: block.length(), mask: block.u32() }
    : { address: child, bytes: undefined, mask: 0 };
}

/** Offsets in the heap count a block's own header too, so the whole block is what objects are cut from. */
function directBlock(
  file: FileBytes,
  heap: Heap,
  blocks: Blocks,
  address: number,
  size: number,
  stored: { bytes: number; mask: number },
): Uint8Array {
  const known = blocks.direct.get(address);
  if (known !== undefined) return known;
  const what = `${heap.what}: direct block at ${address}`;
  const raw = file.read(address, stored.bytes, what);
  const block = heap.filters.length === 0 ? raw : decodeChunk(raw, heap.filters, 1, size, stored.mask, what);
  if (block.length < 5 || Buffer.from(block.subarray(0, 4)).toString("latin1") !== "FHDB") {
    throw new Hdf5Error("corrupt", `${what}: expected "FHDB"`);
  }
  if (heap.checksums) verifyBlock(block, 5 + file.widths.address + heap.offsetBytes, what);
  blocks.direct.set(address, block);
  return block;
}

/** The checksum stands after the header and counts as zero in itself. */
function verifyBlock(block: Uint8Array, at: number, what: string): void {
  if (block.length < at + 4) throw new Hdf5Error("corrupt", `${what}: too short`);
  const copy = new Uint8Array(block.length + 4);
  copy.set(block);
  copy.fill(0, at, at + 4);
  copy.set(block.subarray(at, at + 4), block.length);
  verify(copy, what);
}
