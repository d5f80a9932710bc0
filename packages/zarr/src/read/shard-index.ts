import type { Serializer } from "../codecs/codec.ts";
import { ZarrError } from "../errors.ts";
import { product } from "./copy.ts";
import { decodeChunk } from "./decode.ts";
import type { Place } from "./place.ts";
import type { Plan, Request } from "./requests.ts";

export type Shards = Extract<Serializer, { kind: "shards" }>;

/** Inner chunks along each axis of a shard. */
export function innerGrid(serializer: Shards, shard: readonly number[]): number[] {
  return serializer.chunks.map((side, axis) => shard[axis]! / side);
}

const cacheBytes = 16 * 1024 * 1024;

/** Shard indexes kept between reads, so that row batches do not fetch them again; the oldest go first. */
export class ShardIndexCache {
  readonly #kept = new Map<string, BigUint64Array>();
  #bytes = 0;

  get(key: string): BigUint64Array | undefined {
    return this.#kept.get(key);
  }

  set(key: string, index: BigUint64Array | undefined): void {
    if (index === undefined || index.byteLength > cacheBytes / 4 || this.#kept.has(key)) return;
    this.#kept.set(key, index);
    this.#bytes += index.byteLength;
    for (const [oldest, { byteLength }] of this.#kept) {
      if (this.#bytes <= cacheBytes) break;
      this.#kept.delete(oldest);
      this.#bytes -= byteLength;
    }
  }
}

/** Indexes of shards, undefined for a shard that is not there. */
export function* readIndexes(
  items: readonly { place: Place | undefined; where: string }[],
  serializer: Shards,
  grid: { chunk: readonly number[]; where: string },
  context: { maxBytes: number; shardIndexes: ShardIndexCache },
): Plan<(BigUint64Array | undefined)[]> {
  const size = serializer.indexBytes(product(innerGrid(serializer, grid.chunk)));
  if (size > context.maxBytes) {
    throw new ZarrError(
      "too-large",
      `${grid.where}: a shard index of ${size} bytes, the limit is ${context.maxBytes}`,
    );
  }
  const results: (BigUint64Array | undefined)[] = [];
  const asked: number[] = [];
  const requests: Request[] = [];
  for (const [i, { place, where }] of items.entries()) {
    if (place === undefined) continue;
    if ("bytes" in place) {
      results[i] = decodeIndex(
        serializer,
        grid.chunk,
        indexBytesOf(serializer, grid.chunk, place.bytes, where),
        where,
      );
      continue;
    }
    results[i] = context.shardIndexes.get(indexKey(place));
    if (results[i] !== undefined) continue;
    asked.push(i);
    requests.push({ key: place.key, range: indexRange(serializer, place, size, where) });
  }
  if (requests.length === 0) return results;
  const found = yield requests;
  for (const [at, i] of asked.entries()) {
    const bytes = found[at];
    if (bytes === undefined) continue;
    const { place, where } = items[i]!;
    results[i] = decodeIndex(serializer, grid.chunk, bytes, where);
    context.shardIndexes.set(indexKey(place as Extract<Place, { key: string }>), results[i]);
  }
  return results;
}

function indexKey(place: { key: string; start: number; end: number | undefined }): string {
  return `${place.start}-${place.end ?? ""}:${place.key}`;
}

function indexRange(
  serializer: Shards,
  place: { start: number; end: number | undefined },
  size: number,
  where: string,
): NonNullable<Request["range"]> {
  if (place.end !== undefined && place.end - place.start < size) {
    throw new ZarrError("corrupt", `${where}: ${place.end - place.start} bytes hold no index of ${size}`);
  }
  if (serializer.indexAt === "start") return { start: place.start, end: place.start + size };
  return place.end === undefined ? { suffix: size } : { start: place.end - size, end: place.end };
}

export function indexBytesOf(
  serializer: Shards,
  shard: readonly number[],
  bytes: Uint8Array,
  where: string,
): Uint8Array {
  const size = serializer.indexBytes(product(innerGrid(serializer, shard)));
  if (bytes.length < size)
    throw new ZarrError("corrupt", `${where}: ${bytes.length} bytes hold no index of ${size}`);
  return serializer.indexAt === "start" ? bytes.subarray(0, size) : bytes.subarray(bytes.length - size);
}

export function decodeIndex(
  serializer: Shards,
  shard: readonly number[],
  bytes: Uint8Array,
  where: string,
): BigUint64Array {
  const shape = [...innerGrid(serializer, shard), 2];
  const plain = decodeChunk(
    serializer.index,
    bytes,
    shape,
    product(shape) * 8,
    `${where}: its index`,
  ) as Uint8Array;
  const aligned = plain.byteOffset % 8 === 0 ? plain : plain.slice();
  return new BigUint64Array(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.length / 8);
}
