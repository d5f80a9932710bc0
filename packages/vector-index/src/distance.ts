import type { Metric } from "./types.ts";

/** Vectors as stored, with their ids. */
export interface VectorTable {
  readonly metric: Metric;
  readonly dimension: number;
  readonly size: number;
  readonly ids: Float64Array;
  readonly vectors: Float32Array;
}

/** A query in float64: of length 1 under cosine, as given otherwise. */
export interface Query {
  readonly vector: Float64Array;
  /** Its Euclidean length. */
  readonly length: number;
}

export function prepareQuery(metric: Metric, query: Float32Array): Query {
  let squared = 0;
  for (let i = 0; i < query.length; i++) squared += query[i]! * query[i]!;
  const length = Math.sqrt(squared);
  if (metric !== "cosine") return { vector: Float64Array.from(query), length };
  return { vector: Float64Array.from(query, (value) => value / length), length: 1 };
}

/**
 * Distance between a query and a stored vector, in float64: every path of every index kind ends here, so their distances agree.
 */
export function distanceTo(table: VectorTable, position: number, query: Query): number {
  const { metric, dimension, vectors } = table;
  const base = position * dimension;
  const q = query.vector;
  let sum = 0;
  if (metric === "l2") {
    for (let i = 0; i < dimension; i++) {
      const difference = q[i]! - vectors[base + i]!;
      sum += difference * difference;
    }
    return Math.sqrt(sum);
  }
  if (metric === "dot_product") {
    for (let i = 0; i < dimension; i++) sum += q[i]! * vectors[base + i]!;
    return 1 - sum;
  }
  let squared = 0;
  for (let i = 0; i < dimension; i++) {
    const value = vectors[base + i]!;
    sum += q[i]! * value;
    squared += value * value;
  }
  // Dividing by the length again takes out the rounding of the stored float32, so a vector is at distance 0 of itself.
  const distance = 1 - sum / Math.sqrt(squared);
  return Math.round(Math.min(2, Math.max(0, distance)) * 1e9) / 1e9;
}

/** The k nearest seen so far: a binary heap with the farthest on top. Order is by distance, then by id. */
export class NearestHeap {
  readonly #k: number;
  readonly #ids: Float64Array;
  readonly #positions: number[] = [];
  readonly #distances: number[] = [];

  constructor(k: number, ids: Float64Array) {
    this.#k = k;
    this.#ids = ids;
  }

  get size(): number {
    return this.#positions.length;
  }

  /** The largest distance kept. Call only when not empty. */
  get farthest(): number {
    return this.#distances[0]!;
  }

  push(position: number, distance: number): void {
    const count = this.#positions.length;
    if (count < this.#k) {
      this.#positions.push(position);
      this.#distances.push(distance);
      this.#rise(count);
    } else if (this.#before(distance, position, 0)) {
      this.#positions[0] = position;
      this.#distances[0] = distance;
      this.#sink();
    }
  }

  /** Positions and distances, nearest first. */
  sorted(): { positions: number[]; distances: number[] } {
    const order = this.#positions.map((_, i) => i);
    order.sort((a, b) => this.#distances[a]! - this.#distances[b]! || this.#idAt(a) - this.#idAt(b));
    return {
      positions: order.map((i) => this.#positions[i]!),
      distances: order.map((i) => this.#distances[i]!),
    };
  }

  #idAt(slot: number): number {
    return this.#ids[this.#positions[slot]!]!;
  }

  #before(distance: number, position: number, slot: number): boolean {
    const other = this.#distances[slot]!;
    return distance < other || (distance === other && this.#ids[position]! < this.#idAt(slot));
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(this.#distances[parent]!, this.#positions[parent]!, at)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(): void {
    const count = this.#positions.length;
    for (let at = 0; ; ) {
      let far = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < count && this.#before(this.#distances[far]!, this.#positions[far]!, child)) far = child;
      }
      if (far === at) return;
      this.#swap(at, far);
      at = far;
    }
  }

  #swap(a: number, b: number): void {
    [this.#positions[a], this.#positions[b]] = [this.#positions[b]!, this.#positions[a]!];
    [this.#distances[a], this.#distances[b]] = [this.#distances[b]!, this.#distances[a]!];
  }
}
