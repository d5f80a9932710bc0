import { createDenseSession, type DenseSession, encodeOnnxModel, type OnnxNode } from "@cytomesh/kernels";
import { distanceTo, NearestHeap, type Query, type VectorTable } from "./distance.ts";
import { throwIfCancelled } from "./errors.ts";

/** Rows scored at once: with a query batch, 4 MB of scores. */
const BLOCK_ROWS = 16_384;
const QUERY_BATCH = 64;
/** Candidates taken beyond k, so that float32 rounding at the edge seldom forces a second look. */
const MARGIN = 64;
/** Multiplications below which a plain scan is quicker than a call into the runtime. */
const SCAN_WORK = 2_000_000;
/** Half a unit in the last place of float32 at 1. */
const FLOAT32_ROUNDING = 2 ** -24;

export interface ExactSearcher {
  /** The k nearest of `subset` (of all vectors when null) for each query: exact, ties by id. */
  search(
    queries: readonly Query[],
    k: number,
    subset: Int32Array | null,
    signal?: AbortSignal,
  ): Promise<NearestHeap[]>;
  close(): Promise<void>;
}

/**
 * Exact search. onnxruntime scores blocks in float32 (MatMul + TopK) to find candidates, float64 decides: a query whose k-th
 * distance is not clear of every rejected score by more than the rounding of float32 is scanned again in float64.
 */
export function createExactSearcher(table: VectorTable, threads: number): ExactSearcher {
  let session: Promise<DenseSession> | undefined;
  // Built on first use: small searches never need it.
  const scorer = (): Promise<DenseSession> => {
    session ??= createDenseSession(scoreModel(table), { threads });
    return session;
  };
  let lengths: VectorLengths | undefined;
  return {
    async search(queries, k, subset, signal) {
      const rows = subset?.length ?? table.size;
      const worth = rows * table.dimension * queries.length > SCAN_WORK && 4 * (k + MARGIN) < rows;
      const heaps: NearestHeap[] = [];
      if (worth) lengths ??= measure(table);
      for (let first = 0; first < queries.length; first += QUERY_BATCH) {
        throwIfCancelled(signal, "search");
        const batch = queries.slice(first, first + QUERY_BATCH);
        const limits = lengths;
        if (worth && limits && batch.every((query) => fitsFloat32(query, limits.longest))) {
          heaps.push(...(await scoreBatch(await scorer(), table, limits, batch, k, subset, signal)));
        } else {
          for (const query of batch) {
            throwIfCancelled(signal, "search");
            heaps.push(scan(table, query, k, subset));
          }
        }
      }
      return heaps;
    },
    async close() {
      // A session that never opened has nothing to close; its failure was reported by the search that wanted it.
      await (await session?.catch(() => undefined))?.close();
    },
  };
}

function scan(table: VectorTable, query: Query, k: number, subset: Int32Array | null): NearestHeap {
  const heap = new NearestHeap(k, table.ids);
  if (subset === null) {
    for (let position = 0; position < table.size; position++) {
      heap.push(position, distanceTo(table, position, query));
    }
  } else {
    for (const position of subset) heap.push(position, distanceTo(table, position, query));
  }
  return heap;
}

interface VectorLengths {
  readonly longest: number;
  /** −‖v‖² of every vector under l2, otherwise empty. */
  readonly negatedSquares: Float32Array;
}

function measure({ metric, dimension, size, vectors }: VectorTable): VectorLengths {
  const negatedSquares = new Float32Array(metric === "l2" ? size : 0);
  let longest = 0;
  for (let row = 0; row < size; row++) {
    let squared = 0;
    for (let at = row * dimension; at < (row + 1) * dimension; at++) squared += vectors[at]! * vectors[at]!;
    longest = Math.max(longest, squared);
    if (metric === "l2") negatedSquares[row] = -squared;
  }
  return { longest: Math.sqrt(longest), negatedSquares };
}

/** Whether the scores stay well inside float32. */
function fitsFloat32(query: Query, longest: number): boolean {
  const size = Math.max(query.length, longest);
  return size < 1e18 && size > 1e-15;
}

/** queries [Q, d], block [B, d] (and −‖v‖² [1, B] under l2) → the k largest scores of each query, and where they are. */
function scoreModel({ metric, dimension }: VectorTable): Uint8Array {
  const l2 = metric === "l2";
  const score: OnnxNode = {
    op: "Gemm",
    inputs: ["queries", "block", ...(l2 ? ["offsets"] : [])],
    outputs: ["scores"],
    ints: { transB: 1 },
    floats: { alpha: l2 ? 2 : 1 },
  };
  const top: OnnxNode = {
    op: "TopK",
    inputs: ["scores", "k"],
    outputs: ["values", "rows"],
    ints: { largest: 1, sorted: 1 },
  };
  return encodeOnnxModel({
    name: "nearest",
    inputs: [
      { name: "queries", type: "float32", shape: ["Q", dimension] },
      { name: "block", type: "float32", shape: ["B", dimension] },
      ...(l2 ? [{ name: "offsets", type: "float32" as const, shape: [1, "B"] }] : []),
      { name: "k", type: "int64", shape: [1] },
    ],
    outputs: [
      { name: "values", type: "float32", shape: ["Q", "K"] },
      { name: "rows", type: "int64", shape: ["Q", "K"] },
    ],
    nodes: [score, top],
    initializers: [],
  });
}

async function scoreBatch(
  session: DenseSession,
  table: VectorTable,
  lengths: VectorLengths,
  batch: readonly Query[],
  k: number,
  subset: Int32Array | null,
  signal: AbortSignal | undefined,
): Promise<NearestHeap[]> {
  const { dimension } = table;
  const rows = subset?.length ?? table.size;
  const queries = new Float32Array(batch.length * dimension);
  batch.forEach((query, i) => {
    queries.set(query.vector, i * dimension);
  });
  const heaps = batch.map(() => new NearestHeap(k, table.ids));
  /** The best score any rejected vector can have, per query, as float32 saw it. */
  const rejected = new Float64Array(batch.length).fill(-Infinity);
  for (let first = 0; first < rows; first += BLOCK_ROWS) {
    throwIfCancelled(signal, "search");
    const count = Math.min(BLOCK_ROWS, rows - first);
    const wanted = Math.min(count, k + MARGIN);
    const { values, rows: found } = await session.run({
      queries: { dims: [batch.length, dimension], data: queries },
      k: { dims: [1], data: BigInt64Array.of(BigInt(wanted)) },
      ...blockFeeds(table, lengths, subset, first, count),
    });
    const scores = values!.data as Float32Array;
    const offsets = found!.data as BigInt64Array;
    batch.forEach((query, i) => {
      for (let at = i * wanted; at < (i + 1) * wanted; at++) {
        const row = first + Number(offsets[at]!);
        const position = subset ? subset[row]! : row;
        heaps[i]!.push(position, distanceTo(table, position, query));
      }
      if (wanted < count) rejected[i] = Math.max(rejected[i]!, scores[(i + 1) * wanted - 1]!);
    });
  }
  return batch.map((query, i) => {
    const heap = heaps[i]!;
    const clear = isClear(table, query, heap.farthest, rejected[i]!, lengths.longest);
    return clear ? heap : scan(table, query, k, subset);
  });
}

function blockFeeds(
  table: VectorTable,
  lengths: VectorLengths,
  subset: Int32Array | null,
  first: number,
  count: number,
) {
  const { dimension, vectors, metric } = table;
  let block = vectors.subarray(first * dimension, (first + count) * dimension);
  let squares = lengths.negatedSquares.subarray(first, first + count);
  if (subset) {
    block = new Float32Array(count * dimension);
    const positions = subset.subarray(first, first + count);
    positions.forEach((position, i) => {
      block.set(vectors.subarray(position * dimension, (position + 1) * dimension), i * dimension);
    });
    squares = metric === "l2" ? Float32Array.from(positions, (at) => lengths.negatedSquares[at]!) : squares;
  }
  return {
    block: { dims: [count, dimension], data: block },
    ...(metric === "l2" ? { offsets: { dims: [1, count], data: squares } } : {}),
  };
}

/**
 * Whether no rejected vector can be as near as the k-th found. A float32 dot product of d terms is off by at most about
 * (d + 8) roundings of ‖q‖·‖v‖ (Higham, Accuracy and Stability, 3.1), which is compared on the scale of the scores.
 */
function isClear(
  table: VectorTable,
  query: Query,
  farthest: number,
  rejected: number,
  longest: number,
): boolean {
  if (rejected === -Infinity) return true;
  const product = query.length * longest;
  const terms = table.dimension + 8;
  if (table.metric === "l2") {
    const error = FLOAT32_ROUNDING * (2 * terms * product + terms * longest * longest);
    return rejected + error + 1e-12 * (query.length + longest) ** 2 < query.length ** 2 - farthest ** 2;
  }
  // Cosine distances within one unit of the ninth decimal are equal after rounding.
  const ties = table.metric === "cosine" ? 1e-9 : 1e-12 * product;
  return rejected + FLOAT32_ROUNDING * terms * product + ties < 1 - farthest;
}
