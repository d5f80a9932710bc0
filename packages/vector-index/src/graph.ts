import { createRequire } from "node:module";
import { setImmediate } from "node:timers/promises";
import type * as Usearch from "usearch";
import type { Query, VectorTable } from "./distance.ts";
import { throwIfCancelled, VectorIndexError } from "./errors.ts";
import { lengthOf } from "./prepare.ts";
import type { GraphInfo, Metric } from "./types.ts";

/** Vectors linked between two looks at the abort signal. */
const ADD_BATCH = 1024;
export const DEFAULT_CONNECTIVITY = 16;
export const DEFAULT_EXPANSION_ADD = 128;

export interface Graph {
  /** Up to `wanted` candidate positions per query, in no particular order. */
  candidates(queries: readonly Query[], wanted: number): Int32Array[];
}

interface GraphSettings {
  readonly connectivity: number;
  readonly expansionAdd: number;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
}

let library: typeof Usearch | undefined;

function loadLibrary(): typeof Usearch {
  try {
    library ??= createRequire(import.meta.url)("usearch") as typeof Usearch;
    return library;
  } catch (cause) {
    throw new VectorIndexError("native", "usearch could not be loaded: is it installed for this platform?", {
      cause,
    });
  }
}

/**
 * Links a graph over the table and saves it at `path`.
 *
 * The graph only proposes candidates, so it works on whatever makes neighbours easy to find: unit vectors in f16 for cosine;
 * centred and scaled f32 for l2; for the dot product, which is no metric, vectors of at most unit length with one more component
 * that completes them to unit length, which turns the largest product into the smallest angle (Bachrach et al. 2014).
 */
export async function buildGraph(
  table: VectorTable,
  path: string,
  settings: GraphSettings,
): Promise<GraphInfo> {
  const info = describeGraph(table, settings);
  const index = createIndex(table.metric, info);
  const { size, dimension, vectors } = table;
  for (let first = 0; first < size; first += ADD_BATCH) {
    throwIfCancelled(settings.signal, "index build");
    const count = Math.min(ADD_BATCH, size - first);
    const block = new Float32Array(count * info.dimension);
    for (let i = 0; i < count; i++) {
      const vector = vectors.subarray((first + i) * dimension, (first + i + 1) * dimension);
      toGraphSpace(table.metric, info, vector, block.subarray(i * info.dimension, (i + 1) * info.dimension));
    }
    const keys = BigUint64Array.from({ length: count }, (_, i) => BigInt(first + i));
    native("adding vectors", () => index.add(keys, block, settings.threads));
    await setImmediate();
  }
  native("saving the graph", () => index.save(path));
  return info;
}

/**
 * Opens a saved graph.
 * @throws VectorIndexError `corrupt_index` when it does not hold what the manifest says
 */
export function openGraph(table: VectorTable, info: GraphInfo, path: string, threads: number): Graph {
  const index = createIndex(table.metric, info);
  try {
    index.load(path);
  } catch (cause) {
    throw new VectorIndexError(
      "corrupt_index",
      `${path} is not a graph this version of usearch reads: rebuild the index`,
      {
        cause,
        path,
      },
    );
  }
  if (index.size() !== table.size || index.dimensions() !== info.dimension) {
    throw new VectorIndexError(
      "corrupt_index",
      `${path} holds ${index.size()} vectors of ${index.dimensions()}, expected ${table.size} of ${info.dimension}`,
      { path },
    );
  }
  return {
    candidates(queries, wanted) {
      const block = new Float32Array(queries.length * info.dimension);
      queries.forEach((query, i) => {
        toGraphQuery(table.metric, info, query, block.subarray(i * info.dimension, (i + 1) * info.dimension));
      });
      // A matrix, even of one row: the result then has one shape only.
      const found = native("searching the graph", () => index.search(block, wanted, threads));
      return unpack(found, queries.length, wanted, table.size);
    },
  };
}

function unpack(
  found: Usearch.Matches | Usearch.BatchMatches,
  queries: number,
  wanted: number,
  size: number,
): Int32Array[] {
  return Array.from({ length: queries }, (_, i) => {
    const count = "counts" in found ? Number(found.counts[i]) : found.keys.length;
    const keys = found.keys.subarray(i * wanted, i * wanted + Math.min(count, wanted));
    return Int32Array.from(keys, Number).filter((position) => position >= 0 && position < size);
  });
}

function createIndex(metric: Metric, info: GraphInfo): Usearch.Index {
  const { Index, MetricKind, ScalarKind } = loadLibrary();
  return native("creating the graph", () => {
    return new Index({
      dimensions: info.dimension,
      metric: metric === "l2" ? MetricKind.L2sq : MetricKind.Cos,
      quantization: info.quantization === "f16" ? ScalarKind.F16 : ScalarKind.F32,
      connectivity: info.connectivity,
      expansion_add: info.expansionAdd,
      expansion_search: 64,
      multi: false,
    });
  });
}

function describeGraph(table: VectorTable, settings: GraphSettings): GraphInfo {
  const { metric, dimension, size, vectors } = table;
  const { connectivity, expansionAdd } = settings;
  const shared = { connectivity, expansionAdd };
  if (metric === "cosine") return { dimension, quantization: "f16", ...shared, centre: [], scale: 1 };
  const centre = metric === "l2" ? centreOf(table) : [];
  let longest = 0;
  const moved = new Float32Array(dimension);
  for (let row = 0; row < size; row++) {
    for (let i = 0; i < dimension; i++) moved[i] = vectors[row * dimension + i]! - (centre[i] ?? 0);
    longest = Math.max(longest, lengthOf(moved));
  }
  const scale = longest > 0 ? longest : 1;
  return {
    dimension: metric === "l2" ? dimension : dimension + 1,
    quantization: "f32",
    ...shared,
    centre,
    scale,
  };
}

function centreOf({ dimension, size, vectors }: VectorTable): number[] {
  const centre = new Array<number>(dimension).fill(0);
  for (let row = 0; row < size; row++) {
    for (let i = 0; i < dimension; i++) centre[i]! += vectors[row * dimension + i]! / size;
  }
  return centre;
}

function toGraphSpace(metric: Metric, info: GraphInfo, vector: Float32Array, out: Float32Array): void {
  if (metric === "cosine") {
    out.set(vector);
    return;
  }
  let squared = 0;
  for (let i = 0; i < vector.length; i++) {
    const value = (vector[i]! - (info.centre[i] ?? 0)) / info.scale;
    out[i] = value;
    squared += value * value;
  }
  if (metric === "dot_product") out[vector.length] = Math.sqrt(Math.max(0, 1 - squared));
}

function toGraphQuery(metric: Metric, info: GraphInfo, query: Query, out: Float32Array): void {
  const { vector, length } = query;
  for (let i = 0; i < vector.length; i++) {
    out[i] = metric === "l2" ? (vector[i]! - info.centre[i]!) / info.scale : vector[i]! / length;
  }
}

function native<T>(what: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new VectorIndexError("native", `${what} failed: ${detail}`, { cause });
  }
}
