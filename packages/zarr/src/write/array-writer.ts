import { availableParallelism } from "node:os";
import { crc32c } from "@cytomesh/codecs";
import { ZarrError } from "../errors.ts";
import { under } from "../meta/path.ts";
import { elementBytes } from "../meta/type.ts";
import type { Json, JsonObject, ZarrType, ZarrValues } from "../types.ts";
import type { Compressor } from "./compress.ts";
import { checkStrings, encodeFixed, encodeStrings, storedAs } from "./encode.ts";
import type { ObjectSink, ObjectWriter } from "./objects.ts";

/** How an array is stored. */
export interface ArrayInput {
  type: ZarrType;
  /** [] for a scalar. Rows that are appended are counted; then shape[0] is ignored. */
  shape: readonly number[];
  /** Rows per chunk; default about 512 KiB uncompressed. All other axes are whole. */
  chunkRows?: number;
  dimensionNames?: readonly (string | null)[];
}

/** An array that grows along its first axis. */
export interface AppendableArray {
  /** Resolves when the caller may go on; values may be changed then. */
  append(values: ZarrValues): Promise<void>;
  readonly rows: number;
}

export interface ArrayOptions {
  compressor: Compressor;
  /** Uncompressed bytes that a shard holds at most. */
  shardBytes: number;
}

/** Fine enough for rows to be read in batches, coarse enough for zstd: its window is 512 KiB at level 1. */
const chunkBytes = 512 * 1024;
/** What a string is taken for when chunks are measured. */
const stringBytes = 16;
/** Chunks being compressed, or waiting for those before them. */
const inFlight = availableParallelism() + 1;
/** Bounds the index that every reader of a shard must fetch: 16 bytes for each chunk. */
const maxChunksPerShard = 16 * 1024;
const missing = 2n ** 64n - 1n;

/**
 * Cuts rows into chunks, compresses several at a time, and puts them into shards in order. A shard's chunks are written as they are done
 * and its index last; an array of one chunk becomes a plain one.
 */
export class ArrayWriter implements AppendableArray {
  rows = 0;
  readonly #path: string;
  readonly #input: ArrayInput;
  readonly #sink: ObjectSink;
  readonly #options: ArrayOptions;
  readonly #rowElements: number;
  readonly #chunkRows: number;
  readonly #chunksPerShard: number;
  #pending: Uint8Array;
  #pendingStrings: string[] = [];
  #pendingRows = 0;
  readonly #queue: Promise<Uint8Array>[] = [];
  #chunks = 0;
  /** The first chunk waits until it is known whether it stays alone. */
  #first: Uint8Array | undefined;
  #shard: { object: ObjectWriter; index: BigUint64Array; at: number; chunks: number } | undefined;
  #shards = 0;

  constructor(path: string, input: ArrayInput, sink: ObjectSink, options: ArrayOptions) {
    this.#path = path;
    this.#input = input;
    this.#sink = sink;
    this.#options = options;
    this.#rowElements = input.shape.slice(1).reduce((product, side) => product * side, 1);
    const rowBytes = Math.max(1, this.#rowElements * (elementBytes(input.type) ?? stringBytes));
    this.#chunkRows = input.chunkRows ?? Math.max(1, Math.floor(chunkBytes / rowBytes));
    if (!Number.isSafeInteger(this.#chunkRows) || this.#chunkRows < 1) {
      throw new ZarrError("invalid-argument", `/${path}: ${this.#chunkRows} rows per chunk`);
    }
    const perShard = Math.floor(options.shardBytes / (this.#chunkRows * rowBytes));
    this.#chunksPerShard = Math.max(1, Math.min(perShard, maxChunksPerShard));
    this.#pending = new Uint8Array(0);
  }

  async append(values: ZarrValues): Promise<void> {
    const { type } = this.#input;
    const rows = this.#rowsOf(values);
    this.rows += rows;
    if (type.kind === "string") {
      const strings = checkStrings(values, rows * this.#rowElements, `/${this.#path}`);
      for (let from = 0; from < rows; ) {
        const take = Math.min(rows - from, this.#chunkRows - this.#pendingRows);
        for (let i = from * this.#rowElements; i < (from + take) * this.#rowElements; i++)
          this.#pendingStrings.push(strings[i]!);
        from += take;
        await this.#took(take);
      }
      return;
    }
    const bytes = encodeFixed(values, type, rows * this.#rowElements, `/${this.#path}`);
    const rowBytes = this.#rowElements * elementBytes(type)!;
    for (let from = 0; from < rows; ) {
      const take = Math.min(rows - from, this.#chunkRows - this.#pendingRows);
      this.#room((this.#pendingRows + take) * rowBytes, this.#chunkRows * rowBytes);
      this.#pending.set(
        bytes.subarray(from * rowBytes, (from + take) * rowBytes),
        this.#pendingRows * rowBytes,
      );
      from += take;
      await this.#took(take);
    }
  }

  /** Grows with what comes: most arrays are smaller than a chunk. */
  #room(bytes: number, full: number): void {
    if (this.#pending.length >= bytes) return;
    const grown = new Uint8Array(Math.min(full, Math.max(bytes, this.#pending.length * 2)));
    grown.set(this.#pending);
    this.#pending = grown;
  }

  #rowsOf(values: ZarrValues): number {
    const first = values instanceof Map ? [...values.values()][0] : values;
    const count = (first as { length: number } | undefined)?.length ?? 0;
    const lanes = this.#input.type.kind === "complex" ? 2 : 1;
    const rows = this.#rowElements === 0 ? 0 : count / lanes / this.#rowElements;
    if (Number.isInteger(rows)) return rows;
    throw new ZarrError(
      "invalid-argument",
      `/${this.#path}: ${count} values are no whole rows of ${this.#rowElements}`,
    );
  }

  async #took(rows: number): Promise<void> {
    this.#pendingRows += rows;
    if (this.#pendingRows < this.#chunkRows) return;
    const bytes = this.#input.type.kind === "string" ? encodeStrings(this.#pendingStrings) : this.#pending;
    this.#pending = new Uint8Array(0);
    this.#pendingStrings = [];
    this.#pendingRows = 0;
    await this.#enqueue(bytes);
  }

  async #enqueue(bytes: Uint8Array): Promise<void> {
    const job = this.#options.compressor.run(bytes);
    // Its error is met when its turn comes.
    job.catch(() => {});
    this.#queue.push(job);
    while (this.#queue.length >= inFlight) this.#store(await this.#queue.shift()!);
  }

  #store(bytes: Uint8Array): void {
    this.#chunks++;
    if (this.#chunks === 1) {
      this.#first = bytes;
      return;
    }
    if (this.#first !== undefined) this.#putInShard(this.#first);
    this.#first = undefined;
    this.#putInShard(bytes);
  }

  #putInShard(bytes: Uint8Array): void {
    this.#shard ??= {
      object: this.#sink.object(this.#key(this.#shards)),
      index: new BigUint64Array(this.#chunksPerShard * 2).fill(missing),
      at: 0,
      chunks: 0,
    };
    const shard = this.#shard;
    shard.object.write(bytes);
    shard.index[shard.chunks * 2] = BigInt(shard.at);
    shard.index[shard.chunks * 2 + 1] = BigInt(bytes.length);
    shard.at += bytes.length;
    shard.chunks++;
    if (shard.chunks === this.#chunksPerShard) this.#closeShard(this.#chunksPerShard);
  }

  #closeShard(chunks: number): void {
    const shard = this.#shard!;
    const { buffer } = shard.index.slice(0, chunks * 2);
    const out = new Uint8Array(buffer.byteLength + 4);
    out.set(new Uint8Array(buffer));
    new DataView(out.buffer).setUint32(buffer.byteLength, crc32c(new Uint8Array(buffer)), true);
    shard.object.write(out);
    shard.object.end();
    this.#shard = undefined;
    this.#shards++;
  }

  #key(index: number): string {
    const { shape } = this.#input;
    return under(this.#path, ["c", ...shape.map((_, axis) => (axis === 0 ? index : 0))].join("/"));
  }

  /** Writes what is pending; returns the array's zarr.json without attributes. */
  async finish(): Promise<JsonObject> {
    const { shape: asked, type } = this.#input;
    const alone = this.#chunks + this.#queue.length === 0;
    let lastRows = this.#chunkRows;
    if (this.#pendingRows > 0) {
      // A single chunk is as long as the array; others are padded to full length.
      lastRows = alone ? this.#pendingRows : this.#chunkRows;
      await this.#enqueue(this.#lastChunk(lastRows));
    }
    for (const job of this.#queue.splice(0)) this.#store(await job);
    let chunkRows = this.#chunkRows;
    let shardChunks = this.#chunksPerShard;
    const sharded = this.#first === undefined && this.#chunks > 0;
    if (this.#first !== undefined) {
      const object = this.#sink.object(this.#key(0));
      object.write(this.#first);
      object.end();
      chunkRows = lastRows;
    } else if (this.#shard !== undefined) {
      // A first shard that is not full is cut to what it holds.
      if (this.#shards === 0) shardChunks = this.#shard.chunks;
      this.#closeShard(shardChunks);
    }
    const scalar = asked.length === 0;
    const shape = scalar ? [] : [this.rows, ...asked.slice(1)];
    const inner = shape.slice(1).map((side) => Math.max(1, side));
    return document(
      shape,
      scalar ? [] : [chunkRows, ...inner],
      sharded ? [chunkRows * shardChunks, ...inner] : undefined,
      type,
      this.#options.compressor,
      this.#input.dimensionNames,
      `/${this.#path}`,
    );
  }

  #lastChunk(rows: number): Uint8Array {
    const elements = rows * this.#rowElements;
    if (this.#input.type.kind === "string") {
      const padding = new Array<string>(elements - this.#pendingStrings.length).fill("");
      return encodeStrings([...this.#pendingStrings, ...padding]);
    }
    const rowBytes = this.#rowElements * elementBytes(this.#input.type)!;
    const out = new Uint8Array(rows * rowBytes);
    out.set(this.#pending.subarray(0, this.#pendingRows * rowBytes));
    return out;
  }
}

function document(
  shape: number[],
  chunks: number[],
  shards: number[] | undefined,
  type: ZarrType,
  compress: Compressor,
  dimensionNames: readonly (string | null)[] | undefined,
  where: string,
): JsonObject {
  const { dataType, fillValue, serializer } = storedAs(type, where);
  const codecs: Json[] = [serializer, ...compress.codecs];
  const sharding: Json = {
    name: "sharding_indexed",
    configuration: {
      chunk_shape: chunks,
      codecs,
      index_codecs: [{ name: "bytes", configuration: { endian: "little" } }, { name: "crc32c" }],
      index_location: "end",
    },
  };
  return {
    zarr_format: 3,
    node_type: "array",
    shape,
    data_type: dataType,
    chunk_grid: { name: "regular", configuration: { chunk_shape: shards ?? chunks } },
    chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
    fill_value: fillValue,
    codecs: shards === undefined ? codecs : [sharding],
    ...(dimensionNames === undefined ? {} : { dimension_names: [...dimensionNames] }),
    storage_transformers: [],
  };
}
