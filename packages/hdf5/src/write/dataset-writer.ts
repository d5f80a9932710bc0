import { filterSpecs, type Pipeline } from "../codecs/encode-chunk.ts";
import { Hdf5Error } from "../errors.ts";
import type { ChunkEncoder } from "../parallel/chunk-encoder.ts";
import { fillWith } from "../parallel/fill.ts";
import type { AppendableDataset, DatasetInput, DatasetValues } from "../types.ts";
import { undefinedAddress } from "./byte-writer.ts";
import { type StoredChunk, writeChunkIndex } from "./chunk-index.ts";
import { diskBytes } from "./encode-type.ts";
import { encodeAny, encodeValues, valueCount } from "./encode-values.ts";
import type { FileSpace } from "./file-space.ts";
import { datasetMessages, type Message } from "./messages.ts";

/** Elements per chunk: 256 KiB of float32, big enough for deflate and small enough to read a few rows. */
const chunkElements = 65_536;
/** HDF5 counts the bytes of a chunk with 32 bits. */
const maxChunkBytes = 2 ** 32 - 1;
/** Bigger elements are records; their planes have little in common. */
const maxShuffledBytes = 16;

/** Where the bytes of a file go, and what encodes its chunks. */
export interface Sink {
  space: FileSpace;
  encoder: ChunkEncoder;
}

/** Writes a whole dataset and returns its header messages. */
export function writeDataset(
  sink: Sink,
  input: DatasetInput,
  values: DatasetValues,
  where: string,
): Message[] {
  const count = input.shape === undefined ? 0 : input.shape.reduce((product, dim) => product * dim, 1);
  const bytes = encodeValues(sink.space, input.type, values, count, where);
  const wantsChunks =
    input.deflate !== undefined ||
    input.lzf === true ||
    input.fletcher32 === true ||
    input.chunkRows !== undefined ||
    input.chunkPlanes === true ||
    input.extendable === true;
  const rank = input.shape?.length ?? 0;
  if (!wantsChunks || rank === 0 || (count === 0 && input.extendable !== true)) {
    const address = bytes.length === 0 ? undefinedAddress : sink.space.append(bytes);
    const layout = { kind: "contiguous", address, bytes: bytes.length } as const;
    return datasetMessages(input.type, input.shape, layout, [], false, fillBytes(sink.space, input, where));
  }
  const chunked = new ChunkedWriter(sink, input, where);
  chunked.push(bytes);
  return chunked.finish(input.extendable === true);
}

/** Gathers rows into chunks, which are filtered and written in their order. */
export class ChunkedWriter implements AppendableDataset {
  readonly #sink: Sink;
  readonly #input: DatasetInput;
  readonly #where: string;
  /** Shape without its rows. */
  readonly #rowShape: readonly number[];
  readonly #rowBytes: number;
  readonly #pipeline: Pipeline;
  readonly #chunks: StoredChunk[] = [];
  /** Chunks side by side in a row of chunks. */
  readonly #planes: number;
  #chunkRows: number;
  /** Rows that do not make a chunk yet; grows up to one. */
  #waiting = new Uint8Array(0);
  #waitingBytes = 0;

  constructor(sink: Sink, input: DatasetInput, where: string) {
    this.#sink = sink;
    this.#input = input;
    this.#where = where;
    this.#rowShape = input.shape?.slice(1) ?? [];
    const elements = this.#rowShape.reduce((product, dim) => product * dim, 1);
    const size = diskBytes(input.type);
    this.#rowBytes = elements * size;
    const planes = input.chunkPlanes === true;
    this.#planes = planes ? (this.#rowShape[0] ?? 0) : 1;
    this.#chunkRows =
      input.chunkRows ?? (planes ? 1 : Math.max(1, Math.floor(chunkElements / Math.max(1, elements))));
    this.#pipeline = pipelineOf(input, size);
    if (input.shape === undefined || input.shape.length === 0 || this.#rowBytes === 0) {
      throw new Hdf5Error("invalid-argument", `${where}: rows without elements cannot be stored in chunks`);
    }
    if (planes && (this.#chunkRows !== 1 || this.#rowShape.length === 0)) {
      throw new Hdf5Error(
        "invalid-argument",
        `${where}: chunks of one plane need a second axis and one row, found ${this.#rowShape.length + 1} axes and ${this.#chunkRows} rows`,
      );
    }
    const chunkBytes = this.#chunkBytes;
    if (!(Number.isInteger(this.#chunkRows) && this.#chunkRows > 0 && chunkBytes <= maxChunkBytes)) {
      throw new Hdf5Error(
        "invalid-argument",
        `${where}: chunks of ${this.#chunkRows} rows of ${this.#rowBytes} bytes; at most ${maxChunkBytes} bytes are possible`,
      );
    }
  }

  get #chunkBytes(): number {
    return (this.#chunkRows * this.#rowBytes) / this.#planes;
  }

  /** Rows in chunks. */
  get #stored(): number {
    return (this.#chunks.length / this.#planes) * this.#chunkRows;
  }

  get rows(): number {
    return this.#stored + this.#waitingBytes / this.#rowBytes;
  }

  append(values: DatasetValues): void {
    const count = valueCount(this.#input.type, values);
    this.push(encodeAny(this.#sink.space, this.#input.type, values, count, this.#where));
  }

  /** Whole rows; the bytes are taken before it returns. */
  push(bytes: Uint8Array): void {
    if (bytes.length % this.#rowBytes !== 0) {
      throw new Hdf5Error(
        "invalid-argument",
        `${this.#where}: ${bytes.length} bytes are not whole rows of ${this.#rowBytes}`,
      );
    }
    const chunkBytes = this.#chunkBytes;
    let at = 0;
    if (this.#waitingBytes > 0) {
      at = Math.min(bytes.length, chunkBytes - this.#waitingBytes);
      this.#keep(bytes.subarray(0, at), chunkBytes);
      if (this.#waitingBytes === chunkBytes) {
        this.#store(this.#waiting.subarray(0, chunkBytes));
        this.#waitingBytes = 0;
      }
    }
    for (; bytes.length - at >= chunkBytes; at += chunkBytes)
      this.#store(bytes.subarray(at, at + chunkBytes));
    this.#keep(bytes.subarray(at), chunkBytes);
  }

  #keep(bytes: Uint8Array, chunkBytes: number): void {
    const needed = this.#waitingBytes + bytes.length;
    if (needed > this.#waiting.length) {
      const grown = new Uint8Array(Math.min(chunkBytes, Math.max(needed, this.#waiting.length * 2)));
      grown.set(this.#waiting.subarray(0, this.#waitingBytes));
      this.#waiting = grown;
    }
    this.#waiting.set(bytes, this.#waitingBytes);
    this.#waitingBytes = needed;
  }

  #store(raw: Uint8Array): void {
    const plane = this.#chunks.length % this.#planes;
    const row = Math.floor(this.#chunks.length / this.#planes) * this.#chunkRows;
    const chunk: StoredChunk = { row, plane, address: 0, bytes: 0, filterMask: 0 };
    this.#chunks.push(chunk);
    this.#sink.encoder.push(raw, this.#pipeline, ({ bytes, filterMask }) => {
      chunk.address = this.#sink.space.place(bytes);
      chunk.bytes = bytes.length;
      chunk.filterMask = filterMask;
    });
  }

  finish(unlimitedRows = true): Message[] {
    const { rows } = this;
    const rest = this.#waitingBytes / this.#rowBytes;
    const fill = fillBytes(this.#sink.space, this.#input, this.#where);
    if (rest > 0) {
      // A dataset smaller than one chunk gets a chunk of its own size.
      if (this.#chunks.length === 0 && this.#input.chunkRows === undefined) this.#chunkRows = rest;
      const last = new Uint8Array(this.#chunkRows * this.#rowBytes);
      last.set(this.#waiting.subarray(0, this.#waitingBytes));
      // HDF5 takes what lies behind the rows for filled already when it adds more.
      fillWith(last.subarray(this.#waitingBytes), fill);
      this.#store(last);
      this.#waitingBytes = 0;
      this.#waiting = new Uint8Array(0);
    }
    this.#sink.encoder.settle();
    const { space } = this.#sink;
    const { type } = this.#input;
    const shape = [rows, ...this.#rowShape];
    const index = writeChunkIndex(space, this.#chunks, shape.length, this.#stored);
    const chunks = [
      this.#chunkRows,
      ...(this.#input.chunkPlanes === true ? [1, ...this.#rowShape.slice(1)] : this.#rowShape),
    ];
    const layout = { kind: "chunked", index, chunks, elementBytes: diskBytes(type) } as const;
    const filters = filterSpecs(this.#pipeline, this.#chunkBytes);
    return datasetMessages(type, shape, layout, filters, unlimitedRows, fill);
  }
}

/** References to strings are shuffled too: their addresses and lengths differ in few bytes. */
function pipelineOf(input: DatasetInput, size: number): Pipeline {
  const { type, deflate, lzf = false, fletcher32 = false } = input;
  const record = type.kind === "compound" || (type.kind === "string" && type.size !== "variable");
  const compressed = deflate !== undefined || lzf;
  const shuffle = input.shuffle ?? (compressed && !record && size > 1 && size <= maxShuffledBytes);
  return { shuffle, deflateLevel: deflate?.level ?? 0, lzf, fletcher32, elementBytes: size };
}

function fillBytes(space: FileSpace, input: DatasetInput, where: string): Uint8Array | undefined {
  if (input.fillValue === undefined) return undefined;
  return encodeValues(space, input.type, input.fillValue, 1, `${where}, fill value`).slice();
}
