import { VectorIndexError } from "./errors.ts";
import type { IndexInput, MetadataColumn, Metric } from "./types.ts";

export const METRICS: readonly Metric[] = ["cosine", "l2", "dot_product"];
export const MAX_DIMENSION = 65_536;

/** @throws VectorIndexError `invalid_argument` unless `value` is an integer in [min, max] */
export function checkInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new VectorIndexError(
      "invalid_argument",
      `expected ${name} to be an integer from ${min} to ${max}, found ${value}`,
    );
  }
}

/** @throws VectorIndexError `invalid_argument`, `invalid_vector` */
export function checkInput(input: IndexInput): void {
  const { ids, vectors, dimension, metric } = input;
  checkInteger("dimension", dimension, 1, MAX_DIMENSION);
  checkInteger("connectivity", input.connectivity ?? 16, 2, 512);
  checkInteger("expansionAdd", input.expansionAdd ?? 128, 1, 65_536);
  if (!METRICS.includes(metric)) {
    throw new VectorIndexError(
      "invalid_argument",
      `expected a metric of ${METRICS.join(", ")}, found ${String(metric)}`,
    );
  }
  if (!["auto", "exact", "hnsw"].includes(input.kind ?? "auto")) {
    throw new VectorIndexError(
      "invalid_argument",
      `expected kind auto, exact or hnsw, found ${String(input.kind)}`,
    );
  }
  if (ids.length === 0) throw new VectorIndexError("invalid_argument", "an index needs at least one vector");
  if (vectors.length !== ids.length * dimension) {
    throw new VectorIndexError(
      "invalid_argument",
      `expected ${ids.length} × ${dimension} vector components for ${ids.length} ids, found ${vectors.length}`,
    );
  }
  const badId = ids.findIndex((id) => !Number.isSafeInteger(id) || id < 0);
  if (badId >= 0) {
    throw new VectorIndexError(
      "invalid_argument",
      `expected ids from 0 to 2^53 − 1, found ${ids[badId]} at ${badId}`,
      {
        row: badId,
      },
    );
  }
  checkVectors(vectors, ids.length, dimension, metric, "vector");
  checkColumns(input.metadata, ids.length);
}

/**
 * @throws VectorIndexError `invalid_vector` naming the row: NaN, infinity, or under cosine a vector of zeros, which has no direction
 */
export function checkVectors(
  vectors: Float32Array,
  count: number,
  dimension: number,
  metric: Metric,
  what: "vector" | "query",
): void {
  for (let row = 0; row < count; row++) {
    let zero = true;
    for (let at = row * dimension; at < (row + 1) * dimension; at++) {
      const value = vectors[at]!;
      if (value - value !== 0) {
        throw new VectorIndexError(
          "invalid_vector",
          `expected finite components, found ${value} in ${what} ${row}, component ${at - row * dimension}`,
          { row },
        );
      }
      if (value !== 0) zero = false;
    }
    if (zero && metric === "cosine") {
      throw new VectorIndexError(
        "invalid_vector",
        `${what} ${row} is all zeros: it has no cosine with anything`,
        { row },
      );
    }
  }
}

/** @throws VectorIndexError `invalid_argument` */
export function checkColumns(columns: readonly MetadataColumn[], size: number): void {
  const names = new Set<string>();
  for (const { name, codes, categories } of columns) {
    if (name === "" || names.has(name)) {
      throw new VectorIndexError(
        "invalid_argument",
        `expected distinct, non-empty column names, found "${name}"`,
      );
    }
    names.add(name);
    if (codes.length !== size) {
      throw new VectorIndexError(
        "invalid_argument",
        `column "${name}" has ${codes.length} values for ${size} vectors`,
      );
    }
    if (new Set(categories).size !== categories.length) {
      throw new VectorIndexError("invalid_argument", `column "${name}" names a category twice`);
    }
    const bad = codes.findIndex((code) => code < -1 || code >= categories.length);
    if (bad >= 0) {
      throw new VectorIndexError(
        "invalid_argument",
        `column "${name}" has code ${codes[bad]} at ${bad}: expected −1 or a position in ${categories.length} categories`,
        { row: bad },
      );
    }
  }
}
