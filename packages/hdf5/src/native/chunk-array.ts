import { Hdf5Error } from "../errors.ts";
import type { Cursor } from "./cursor.ts";
import type { FileBytes } from "./file-bytes.ts";

/** What one element of a chunk array is: an address, and with filters its stored size and filter mask. */
export interface ArrayEntry {
  filtered: boolean;
  sizeWidth: number;
  what: string;
}

/** Is given every element that may be set, with its index in the array; the cursor stands at the element. */
export type VisitElement = (index: number, record: Cursor) => void;

interface ArrayHead {
  cursor: Cursor;
  what: string;
  client: number;
  entryBytes: number;
}

/** Signature, version and client of every block. */
const blockHead = 6;
const maxElements = 2 ** 40;

function readHead(
  file: FileBytes,
  address: number,
  signature: string,
  bytes: number,
  entry: ArrayEntry,
): ArrayHead {
  const what = `${entry.what}: chunk array at ${address}`;
  const cursor = file.checked(address, bytes, what);
  cursor.expect(signature);
  cursor.expectVersion(0);
  const client = cursor.u8();
  const entryBytes = cursor.u8();
  const wanted = file.widths.address + (entry.filtered ? entry.sizeWidth + 4 : 0);
  if (client !== Number(entry.filtered) || entryBytes !== wanted) {
    throw new Hdf5Error(
      "corrupt",
      `${cursor.what}: elements of kind ${client} and ${entryBytes} bytes, expected ${Number(entry.filtered)} and ${wanted}`,
    );
  }
  return { cursor, what, client, entryBytes };
}

/** Begins a block: signature, version, client, address of the header. */
function beginBlock(cursor: Cursor, signature: string, client: number): void {
  cursor.expect(signature);
  cursor.expectVersion(0);
  const found = cursor.u8();
  if (found !== client) throw new Hdf5Error("corrupt", `${cursor.what}: client ${found}, expected ${client}`);
  cursor.address();
}

/** Bits are counted from the top of each byte. */
const bit = (bytes: Uint8Array, index: number): boolean => (bytes[index >> 3]! & (0x80 >> (index & 7))) !== 0;

function visitElements(
  cursor: Cursor,
  count: number,
  bytes: number,
  first: number,
  visit: VisitElement,
): void {
  for (let i = 0; i < count; i++) {
    const next = cursor.at + bytes;
    visit(first + i, cursor);
    cursor.at = next;
  }
}

/**
 * Fixed array: one data block, in pages when it is large. Source: HDF5 file format specification 3.0, VII.C.
 *
 * @throws Hdf5Error "corrupt"
 */
export function visitFixedArray(
  file: FileBytes,
  address: number,
  entry: ArrayEntry,
  visit: VisitElement,
): void {
  const { address: addressWidth, length: lengthWidth } = file.widths;
  const head = readHead(file, address, "FAHD", 8 + lengthWidth + addressWidth + 4, entry);
  const pageBits = head.cursor.u8();
  const count = head.cursor.length();
  const block = head.cursor.address();
  if (block === undefined) return;
  const pageElements = 2 ** pageBits;
  const before = blockHead + addressWidth;
  const name = `${head.what}: data block at ${block}`;
  // Every element takes at least an address in the file.
  if (pageBits > 40 || count > file.sizeBytes)
    throw new Hdf5Error("corrupt", `${head.cursor.what}: ${count} elements`);
  if (count <= pageElements) {
    const cursor = file.checked(block, before + count * head.entryBytes + 4, name);
    beginBlock(cursor, "FADB", head.client);
    visitElements(cursor, count, head.entryBytes, 0, visit);
    return;
  }
  const pages = Math.ceil(count / pageElements);
  const bitmapBytes = Math.ceil(pages / 8);
  const cursor = file.checked(block, before + bitmapBytes + 4, name);
  beginBlock(cursor, "FADB", head.client);
  const written = cursor.take(bitmapBytes);
  const pageBytes = pageElements * head.entryBytes + 4;
  for (let page = 0; page < pages; page++) {
    if (!bit(written, page)) continue;
    const first = page * pageElements;
    const own = Math.min(pageElements, count - first);
    const at = block + before + bitmapBytes + 4 + page * pageBytes;
    visitElements(
      file.checked(at, own * head.entryBytes + 4, `${name}, page ${page}`),
      own,
      head.entryBytes,
      first,
      visit,
    );
  }
}

/**
 * Extensible array: the first elements and data blocks hang on the index block, the others on secondary blocks; large data blocks
 * have pages. Source: HDF5 file format specification 3.0, VII.D.
 *
 * @throws Hdf5Error "corrupt"
 */
export function visitExtensibleArray(
  file: FileBytes,
  address: number,
  entry: ArrayEntry,
  visit: VisitElement,
): void {
  const { address: addressWidth, length: lengthWidth } = file.widths;
  const head = readHead(file, address, "EAHD", 12 + 6 * lengthWidth + addressWidth + 4, entry);
  const { cursor, what, client, entryBytes } = head;
  const maxBits = cursor.u8();
  const indexElements = cursor.u8();
  const minElements = cursor.u8();
  const minPointers = cursor.u8();
  const pageBits = cursor.u8();
  cursor.skip(4 * lengthWidth);
  // One more than the highest index that was ever set.
  const used = cursor.length();
  cursor.skip(lengthWidth);
  const indexAt = cursor.address();
  if (indexAt === undefined) return;
  const powers = [minElements, minPointers].every((value) => value > 0 && Number.isInteger(Math.log2(value)));
  if (!powers || maxBits > 64 || pageBits > 40 || used > maxElements || Math.log2(minElements) > maxBits) {
    throw new Hdf5Error(
      "corrupt",
      `${cursor.what}: ${maxBits} bits, ${minElements} elements, ${minPointers} pointers`,
    );
  }
  const pageElements = 2 ** pageBits;
  const offsetBytes = Math.ceil(maxBits / 8);
  const superBlocks = 1 + (maxBits - Math.log2(minElements));
  const directPointers = 2 * (minPointers - 1);
  const firstSuper = 2 * Math.log2(minPointers);
  const superPointers = superBlocks - firstSuper;
  if (superPointers < 0)
    throw new Hdf5Error("corrupt", `${cursor.what}: ${minPointers} pointers of ${maxBits} bits`);

  const indexBytes =
    blockHead +
    addressWidth +
    indexElements * entryBytes +
    (directPointers + superPointers) * addressWidth +
    4;
  const index = file.checked(indexAt, indexBytes, `${what}: index block at ${indexAt}`);
  beginBlock(index, "EAIB", client);
  visitElements(index, indexElements, entryBytes, 0, visit);

  let first = indexElements;
  for (let level = 0; level < superBlocks && first < used; level++) {
    const blocks = 2 ** Math.floor(level / 2);
    const elements = 2 ** Math.floor((level + 1) / 2) * minElements;
    if (level < firstSuper) {
      for (let i = 0; i < blocks; i++) {
        visitDataBlock(index.address(), first + i * elements, elements, undefined, 0);
      }
    } else {
      visitSuperBlock(index.address(), first, blocks, elements);
    }
    first += blocks * elements;
  }

  function visitSuperBlock(at: number | undefined, start: number, blocks: number, elements: number): void {
    if (at === undefined) return;
    const pages = elements > pageElements ? elements / pageElements : 0;
    const bitmapBytes = blocks * Math.ceil(pages / 8);
    const bytes = blockHead + addressWidth + offsetBytes + bitmapBytes + blocks * addressWidth + 4;
    const block = file.checked(at, bytes, `${what}: secondary block at ${at}`);
    beginBlock(block, "EASB", client);
    block.skip(offsetBytes);
    const written = block.take(bitmapBytes);
    for (let i = 0; i < blocks && start + i * elements < used; i++) {
      visitDataBlock(block.address(), start + i * elements, elements, written, i * pages);
    }
  }

  function visitDataBlock(
    at: number | undefined,
    start: number,
    elements: number,
    written: Uint8Array | undefined,
    firstPage: number,
  ): void {
    if (at === undefined || start >= used) return;
    const name = `${what}: data block at ${at}`;
    const before = blockHead + addressWidth + offsetBytes;
    if (written === undefined || elements <= pageElements) {
      const block = file.checked(at, before + elements * entryBytes + 4, name);
      beginBlock(block, "EADB", client);
      block.skip(offsetBytes);
      visitElements(block, elements, entryBytes, start, visit);
      return;
    }
    beginBlock(file.checked(at, before + 4, name), "EADB", client);
    const pageBytes = pageElements * entryBytes + 4;
    for (let page = 0; page < elements / pageElements; page++) {
      if (start + page * pageElements >= used || !bit(written, firstPage + page)) continue;
      const from = at + before + 4 + page * pageBytes;
      visitElements(
        file.checked(from, pageBytes, `${name}, page ${page}`),
        pageElements,
        entryBytes,
        start + page * pageElements,
        visit,
      );
    }
  }
}
