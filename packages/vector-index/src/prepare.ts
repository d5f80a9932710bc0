import type { IndexInput, MetadataColumn } from "./types.ts";

export interface PreparedVectors {
  readonly ids: Float64Array;
  /** As stored: of length 1 under cosine, as given otherwise. */
  readonly vectors: Float32Array;
  readonly metadata: readonly MetadataColumn[];
  readonly replaced: number;
}

/**
 * Keeps the last vector of every id, in input order, and normalises for cosine. The result shares no memory with the input.
 */
export function prepareVectors(input: IndexInput): PreparedVectors {
  const { ids, vectors, dimension, metric } = input;
  const kept = lastOccurrences(ids);
  const out = new Float32Array(kept.length * dimension);
  kept.forEach((from, to) => {
    out.set(vectors.subarray(from * dimension, (from + 1) * dimension), to * dimension);
  });
  if (metric === "cosine") {
    for (let row = 0; row < kept.length; row++)
      normalise(out.subarray(row * dimension, (row + 1) * dimension));
  }
  return {
    // + 0 turns −0 into 0.
    ids: Float64Array.from(kept, (from) => ids[from]! + 0),
    vectors: out,
    metadata: input.metadata.map(({ name, codes, categories }) => ({
      name,
      codes: Int32Array.from(kept, (from) => codes[from]!),
      categories: [...categories],
    })),
    replaced: ids.length - kept.length,
  };
}

function lastOccurrences(ids: Float64Array): Int32Array {
  const sorted = ids.slice().sort();
  const distinct = sorted.every((id, i) => i === 0 || id !== sorted[i - 1]);
  if (distinct) return Int32Array.from(ids, (_, i) => i);
  const last = new Map<number, number>();
  ids.forEach((id, i) => {
    last.set(id, i);
  });
  return Int32Array.from(last.values()).sort();
}

/** Scales a vector to length 1, in place; the length is taken in float64, where squares of float32 neither over- nor underflow. */
export function normalise(vector: Float32Array): void {
  const length = lengthOf(vector);
  for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! / length;
}

export function lengthOf(vector: Float32Array): number {
  let squared = 0;
  for (let i = 0; i < vector.length; i++) squared += vector[i]! * vector[i]!;
  return Math.sqrt(squared);
}
