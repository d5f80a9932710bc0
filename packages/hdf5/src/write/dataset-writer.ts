import { constants, deflateSync } from "node:zlib";
import { Hdf5Error } from "../errors.ts";
import type { AppendableDataset, DatasetInput, DatasetValues, H5Numbers, H5Type } from "../types.ts";
import { undefinedAddress } from "./byte-writer.ts";
import { type StoredChunk, writeChunkIndex } from "./chunk-index.ts";
import { diskBytes } from "./encode-type.ts";
import type { FileSpace } from "./file-space.ts";
import { datasetMessages, type FilterSpec, type Message } from "./messages.ts";
import { writeStrings } from "./string-heap.ts";

/** Elements per chunk: 256 KiB of float32, big enough for deflate and small enough to read a few rows. */
const chunkElements = 65_536;

/** Values as they stand in the file. Arrays must hold exactly the elements of `count`. */
export function encodeValues(
  space: FileSpace,
  type: H5Type,
  values: DatasetValues,
  count: number,
  where: string,
): Uint8Array {
  const bytes = encodeAny(space, type, values, count, where);
  if (bytes.length !== count * diskBytes(type)) {
    const found = bytes.length / Math.max(1, diskBytes(type));
    throw new Hdf5Error("invalid-argument", `${where}: the shape has ${count} elements, ${found} were given`);
  }
  return bytes;
}

function encodeAny(
  space: FileSpace,
  type: H5Type,
  values: DatasetValues,
  count: number,
  where: string,
): Uint8Array {
  if (type.kind === "compound") {
    if (!(values instanceof Map))
      throw new Hdf5Error("invalid-argument", `${where}: a compound needs a map of columns`);
    return encodeCompound(space, type, values, count, where);
  }
  if (type.kind === "string") {
    if (!Array.isArray(values)) throw new Hdf5Error("invalid-argument", `${where}: strings expected`);
    return type.size === "variable"
      ? writeStrings(space, values, where)
      : fixedStrings(values, type.size, where);
  }
  if (!ArrayBuffer.isView(values))
    throw new Hdf5Error("invalid-argument", `${where}: a typed array is expected`);
  const array = values as H5Numbers;
  const element = type.kind === "array" ? type.base : type;
  if (array.BYTES_PER_ELEMENT !== diskBytes(element)) {
    throw new Hdf5Error("invalid-argument", `${where}: ${array.constructor.name} does not fit the type`);
  }
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function fixedStrings(values: readonly string[], size: number, where: string): Uint8Array {
  const out = Buffer.alloc(values.length * size);
  values.forEach((value, i) => {
    if (Buffer.byteLength(value) > size) {
      throw new Hdf5Error("invalid-argument", `${where}: string ${i} is longer than ${size} bytes`);
    }
    out.write(value, i * size, size);
  });
  return out;
}

function encodeCompound(
  space: FileSpace,
  type: Extract<H5Type, { kind: "compound" }>,
  columns: ReadonlyMap<string, H5Numbers | readonly string[]>,
  rows: number,
  where: string,
): Uint8Array {
  const out = new Uint8Array(rows * type.size);
  for (const member of type.members) {
    const column = columns.get(member.name);
    if (column === undefined)
      throw new Hdf5Error("invalid-argument", `${where}: column ${member.name} is missing`);
    const size = diskBytes(member.type);
    const bytes = encodeValues(space, member.type, column, rows, `${where}.${member.name}`);
    for (let i = 0; i < rows; i++)
      out.set(bytes.subarray(i * size, (i + 1) * size), i * type.size + member.offset);
  }
  return out;
}

/** Writes a whole dataset and returns its header messages. */
export function writeDataset(
  space: FileSpace,
  input: DatasetInput,
  values: DatasetValues,
  where: string,
): Message[] {
  const count = input.shape === undefined ? 0 : input.shape.reduce((product, dim) => product * dim, 1);
  if (input.deflate === undefined || input.shape === undefined || input.shape.length === 0 || count === 0) {
    const bytes = encodeValues(space, input.type, values, count, where);
    const address = bytes.length === 0 ? undefinedAddress : space.append(bytes.slice());
    return datasetMessages(
      input.type,
      input.shape,
      { kind: "contiguous", address, bytes: bytes.length },
      [],
      false,
    );
  }
  const bytes = encodeValues(space, input.type, values, count, where);
  const chunked = new ChunkedWriter(space, input, where);
  chunked.push(bytes);
  return chunked.finish(false);
}

/** Gathers rows into chunks, filters and writes them. */
export class ChunkedWriter implements AppendableDataset {
  readonly #space: FileSpace;
  readonly #input: DatasetInput;
  readonly #where: string;
  readonly #rowShape: readonly number[];
  readonly #rowBytes: number;
  readonly #filters: FilterSpec[];
  readonly #chunks: StoredChunk[] = [];
  #chunkRows: number;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #rows = 0;

  constructor(space: FileSpace, input: DatasetInput, where: string) {
    this.#space = space;
    this.#input = input;
    this.#where = where;
    if (input.shape === undefined || input.shape.length === 0)
      throw new Hdf5Error("invalid-argument", `${where}: a scalar has no rows to append`);
    this.#rowShape = input.shape.slice(1);
    const elements = this.#rowShape.reduce((product, dim) => product * dim, 1);
    const size = diskBytes(input.type);
    this.#rowBytes = elements * size;
    this.#chunkRows = input.chunkRows ?? Math.max(1, Math.floor(chunkElements / Math.max(1, elements)));
    this.#filters = input.deflate === undefined ? [] : pipeline(input.type, size, input.deflate.level);
    if (this.#rowBytes === 0)
      throw new Hdf5Error("invalid-argument", `${where}: rows without elements cannot be appended`);
  }

  get rows(): number {
    return this.#rows;
  }

  append(values: H5Numbers | readonly string[]): void {
    this.push(encodeAny(this.#space, this.#input.type, values, values.length, this.#where).slice());
  }

  /** Whole rows; the bytes are not copied. */
  push(bytes: Uint8Array): void {
    if (bytes.length % this.#rowBytes !== 0) {
      throw new Hdf5Error(
        "invalid-argument",
        `${this.#where}: ${bytes.length} bytes are not whole rows of ${this.#rowBytes}`,
      );
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    const chunkBytes = this.#chunkRows * this.#rowBytes;
    if (this.#waitingBytes < chunkBytes) return;
    const all = this.#waiting.length === 1 ? bytes : Buffer.concat(this.#waiting);
    let at = 0;
    for (; all.length - at >= chunkBytes; at += chunkBytes) this.#store(all.subarray(at, at + chunkBytes));
    this.#waiting = at === all.length ? [] : [all.subarray(at)];
    this.#waitingBytes = all.length - at;
  }

  #store(bytes: Uint8Array): void {
    const stored =
      this.#input.deflate === undefined ? bytes.slice() : this.#compress(bytes, this.#input.deflate.level);
    this.#chunks.push({ row: this.#rows, address: this.#space.append(stored), bytes: stored.length });
    this.#rows += this.#chunkRows;
  }

  #compress(bytes: Uint8Array, level: number): Buffer {
    const shuffled = this.#filters.length === 2 ? shuffle(bytes, diskBytes(this.#input.type)) : bytes;
    // Run-length matching is all that level 1 finds in shuffled counts, at twice the speed.
    const strategy = level === 1 ? constants.Z_RLE : constants.Z_DEFAULT_STRATEGY;
    return deflateSync(shuffled, { level, strategy });
  }

  finish(unlimitedRows = true): Message[] {
    const rest = this.#waitingBytes / this.#rowBytes;
    const rows = this.#rows + rest;
    if (rest > 0) {
      // A dataset smaller than one chunk gets a chunk of its own size.
      if (this.#chunks.length === 0) this.#chunkRows = rest;
      const last = new Uint8Array(this.#chunkRows * this.#rowBytes);
      last.set(Buffer.concat(this.#waiting));
      this.#store(last);
    }
    const shape = [rows, ...this.#rowShape];
    const index = writeChunkIndex(this.#space, this.#chunks, shape.length, this.#rows);
    const chunks = [this.#chunkRows, ...this.#rowShape];
    const layout = { kind: "chunked", index, chunks, elementBytes: diskBytes(this.#input.type) } as const;
    this.#rows = rows;
    this.#waiting = [];
    return datasetMessages(this.#input.type, shape, layout, this.#filters, unlimitedRows);
  }
}

function pipeline(type: H5Type, size: number, level: number): FilterSpec[] {
  const deflate = { id: 1, values: [level] };
  return size > 1 && type.kind !== "string" && type.kind !== "compound"
    ? [{ id: 2, values: [size] }, deflate]
    : [deflate];
}

function shuffle(bytes: Uint8Array, size: number): Uint8Array {
  const count = bytes.length / size;
  const out = new Uint8Array(bytes.length);
  for (let k = 0; k < size; k++) {
    for (let i = 0, from = k, to = k * count; i < count; i++, from += size, to++) out[to] = bytes[from]!;
  }
  return out;
}
