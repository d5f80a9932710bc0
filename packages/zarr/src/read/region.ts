import type { Pipeline } from "../codecs/codec.ts";
import { ZarrError } from "../errors.ts";
import type { ArrayPlan } from "../meta/document.ts";
import type { Region } from "../types.ts";
import { product } from "./copy.ts";
import { decodeBytes, decodeChunk, permuteAll, wrapped } from "./decode.ts";
import { fetchPlaces, type Place, within } from "./place.ts";
import type { Plan } from "./requests.ts";
import {
  decodeIndex,
  indexBytesOf,
  innerGrid,
  readIndexes,
  type ShardIndexCache,
  type Shards,
} from "./shard-index.ts";
import { type Decoded, makeTarget, type Target } from "./target.ts";

/** One read touches at most this many chunks: a missing one costs a look at the disk each. */
const maxChunks = 1 << 20;
/** Stored chunks held at a time: a batch is fetched in parallel where the store is remote. */
const batch = { bytes: 64 * 1024 * 1024, chunks: 64 };

export interface ReadContext {
  maxBytes: number;
  shardIndexes: ShardIndexCache;
}

/** Part of an array that chunks of one shape tile. */
interface Grid {
  origin: readonly number[];
  chunk: readonly number[];
  pipeline: Pipeline;
  /** undefined: not stored. */
  place(index: readonly number[]): Place | undefined;
  where: string;
}

/** Reads a region of an array; the result is raw, see values.ts. */
export function* readRegion(array: ArrayPlan, region: Region, context: ReadContext): Plan<Decoded> {
  const where = array.node.path;
  const target = makeTarget(region, array.itemBytes, array.fill, context.maxBytes, where);
  const grid: Grid = {
    origin: array.grid.map(() => 0),
    chunk: array.grid,
    pipeline: array.pipeline,
    place: (index) => ({ key: array.keyOf(index), start: 0, end: undefined }),
    where,
  };
  if (region.start.every((start, axis) => start < region.end[axis]!)) {
    yield* readGrid(grid, region, target, array.itemBytes, context, { left: maxChunks });
  }
  return target.result;
}

function* readGrid(
  grid: Grid,
  region: Region,
  target: Target,
  itemBytes: number | undefined,
  context: ReadContext,
  budget: { left: number },
): Plan<void> {
  const low = grid.chunk.map((side, axis) => Math.floor((region.start[axis]! - grid.origin[axis]!) / side));
  const high = grid.chunk.map((side, axis) => Math.ceil((region.end[axis]! - grid.origin[axis]!) / side));
  budget.left -= product(low.map((from, axis) => high[axis]! - from));
  if (budget.left < 0) {
    throw new ZarrError(
      "too-large",
      `${grid.where}: the region touches more than ${maxChunks} chunks; ask for a smaller one`,
    );
  }
  const { serializer } = grid.pipeline;
  const open = serializer.kind === "shards" && grid.pipeline.bytes.length + grid.pipeline.arrays.length === 0;
  const chunkBytes = product(grid.chunk) * (itemBytes ?? 8);
  if (!open && chunkBytes > context.maxBytes) {
    throw new ZarrError(
      "too-large",
      `${grid.where}: chunks of [${grid.chunk}] take ${chunkBytes} bytes, the limit is ${context.maxBytes}`,
    );
  }
  const size = open
    ? batch.chunks
    : Math.max(1, Math.min(batch.chunks, Math.floor(batch.bytes / chunkBytes)));
  for (const indexes of batches(indexesOf(low, high), size)) {
    const items = indexes.map((index) => ({
      start: index.map((at, axis) => grid.origin[axis]! + at * grid.chunk[axis]!),
      place: grid.place(index),
      where: `${grid.where}: chunk [${index}]`,
    }));
    if (open) {
      const offsets = yield* readIndexes(items, serializer, grid, context);
      for (const [i, { start, place, where }] of items.entries()) {
        const index = offsets[i];
        if (index === undefined || place === undefined) target.fill(start, grid.chunk);
        else {
          const inner = shardGrid(serializer, grid.chunk, start, place, index, where);
          const part = clip(region, start, grid.chunk);
          yield* readGrid(inner, part, target, itemBytes, context, budget);
        }
      }
      continue;
    }
    const answers = yield* fetchPlaces(items.map((item) => item.place));
    for (const [i, { start, where }] of items.entries()) {
      const stored = answers[i];
      if (stored === undefined) target.fill(start, grid.chunk);
      else {
        const room = target.room(start, grid.chunk);
        const chunk = decodeAny(grid, stored, itemBytes, context, where, room);
        const expected = product(grid.chunk) * (itemBytes ?? 1);
        if (chunk.length !== expected) {
          throw new ZarrError("corrupt", `${where} decodes to ${chunk.length} bytes, expected ${expected}`);
        }
        if (chunk !== room) target.put(chunk, start, grid.chunk);
      }
    }
  }
}

/** A chunk, or a shard that must be decoded as a whole because codecs lie around it. */
function decodeAny(
  grid: Grid,
  stored: Uint8Array,
  itemBytes: number | undefined,
  context: ReadContext,
  where: string,
  room: Uint8Array | undefined,
): Decoded {
  const { pipeline, chunk } = grid;
  const { serializer } = pipeline;
  if (serializer.kind !== "shards")
    return decodeChunk(pipeline, stored, chunk, context.maxBytes, where, room);
  const bytes = wrapped(where, () => decodeBytes(pipeline, stored, product(chunk), context.maxBytes));
  let sides = chunk;
  for (const codec of pipeline.arrays) {
    if (!("transpose" in codec))
      throw new ZarrError("unsupported", `${where}: ${codec.name} before sharding`);
    sides = codec.transpose.map((axis) => sides[axis]!);
  }
  const whole = { start: sides.map(() => 0), end: sides };
  const fill = itemBytes === undefined ? "" : new Uint8Array(itemBytes);
  const target = makeTarget(whole, itemBytes, fill, context.maxBytes, where);
  const place = { bytes };
  const index = wrapped(where, () =>
    decodeIndex(serializer, sides, indexBytesOf(serializer, sides, bytes, where), where),
  );
  const inner = shardGrid(serializer, sides, whole.start, place, index, where);
  const plan = readGrid(inner, whole, target, itemBytes, context, { left: maxChunks });
  // All bytes are at hand, so nothing is ever asked for.
  if (!plan.next().done)
    throw new ZarrError("unsupported", `${where}: shards around shards with codecs between`);
  return permuteAll(pipeline, target.result, chunk);
}

function shardGrid(
  serializer: Shards,
  shard: readonly number[],
  origin: readonly number[],
  place: Place,
  offsets: BigUint64Array,
  where: string,
): Grid {
  const counts = innerGrid(serializer, shard);
  const missing = 2n ** 64n - 1n;
  return {
    origin,
    chunk: serializer.chunks,
    pipeline: serializer.inner,
    where,
    place(index) {
      const at = index.reduce((sum, i, axis) => sum * counts[axis]! + i, 0);
      const [offset, length] = [offsets[at * 2]!, offsets[at * 2 + 1]!];
      if (offset === missing && length === missing) return undefined;
      const start = Number(offset);
      const end = start + Number(length);
      if (!Number.isSafeInteger(end))
        throw new ZarrError("corrupt", `${where}: inner chunk [${index}] at ${offset} + ${length}`);
      return within(place, start, end, where);
    },
  };
}

function clip(region: Region, start: readonly number[], shape: readonly number[]): Region {
  return {
    start: region.start.map((from, axis) => Math.max(from, start[axis]!)),
    end: region.end.map((to, axis) => Math.min(to, start[axis]! + shape[axis]!)),
  };
}

function* indexesOf(low: readonly number[], high: readonly number[]): Generator<number[]> {
  const index = [...low];
  for (;;) {
    yield [...index];
    let axis = index.length - 1;
    for (; axis >= 0; axis--) {
      if (++index[axis]! < high[axis]!) break;
      index[axis] = low[axis]!;
    }
    if (axis < 0) return;
  }
}

function* batches<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let part: T[] = [];
  for (const item of items) {
    part.push(item);
    if (part.length < size) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}
