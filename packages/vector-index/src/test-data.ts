// Seeded fixtures and naive oracles for the tests of this package; nothing else imports this file.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  type IndexInput,
  type MetadataColumn,
  type Metric,
  type OpenOptions,
  openIndex,
  type VectorIndex,
} from "./index.ts";

export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed ^= mixed >>> 13;
    return (mixed >>> 0) / 2 ** 32;
  };
}

/** Points around a few centres; `centres` are the same for every seed, so queries fall among the points. */
export function clustered(count: number, dimension: number, seed: number, clusters = 20): Float32Array {
  const place = randomSource(99);
  const centres = Float32Array.from({ length: clusters * dimension }, () => place() * 2 - 1);
  const uniform = randomSource(seed);
  const out = new Float32Array(count * dimension);
  for (let row = 0; row < count; row++) {
    const centre = Math.floor(uniform() * clusters) * dimension;
    for (let i = 0; i < dimension; i++) {
      out[row * dimension + i] = centres[centre + i]! + (uniform() + uniform() - 1) * 0.5;
    }
  }
  return out;
}

/** A category per vector in the given shares, about one in ten missing. */
export function column(name: string, size: number, seed: number, weights: readonly number[]): MetadataColumn {
  const uniform = randomSource(seed);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const codes = Int32Array.from({ length: size }, () => {
    if (uniform() < 0.1) return -1;
    let left = uniform() * total;
    return Math.max(
      0,
      weights.findIndex((weight) => {
        left -= weight;
        return left < 0;
      }),
    );
  });
  return { name, codes, categories: weights.map((_, i) => `${name}-${i}`) };
}

export function inputOf(
  size: number,
  dimension: number,
  metric: Metric,
  rest: Partial<IndexInput> = {},
): IndexInput {
  return {
    dimension,
    metric,
    ids: Float64Array.from({ length: size }, (_, i) => 2 ** 40 + ((i * 7919) % size)),
    vectors: clustered(size, dimension, 1),
    metadata: [column("tissue", size, 5, [60, 30, 9, 1]), column("sex", size, 6, [1, 1])],
    manifest: { model: "m1", curriculum: { seed: 42 } },
    ...rest,
  };
}

export interface Neighbour {
  readonly id: number;
  readonly distance: number;
}

/** The definition, in float64 over the input vectors. */
export function naiveSearch(
  input: IndexInput,
  query: Float32Array,
  k: number,
  keep: (position: number) => boolean = () => true,
): Neighbour[] {
  const { dimension, vectors, ids, metric } = input;
  const all: Neighbour[] = [];
  ids.forEach((id, row) => {
    if (!keep(row)) return;
    let dot = 0;
    let vv = 0;
    let qq = 0;
    let apart = 0;
    for (let i = 0; i < dimension; i++) {
      const v = vectors[row * dimension + i]!;
      const q = query[i]!;
      dot += v * q;
      vv += v * v;
      qq += q * q;
      apart += (v - q) ** 2;
    }
    const cosine = Math.round((1 - dot / Math.sqrt(vv * qq)) * 1e9) / 1e9;
    all.push({ id, distance: metric === "cosine" ? cosine : metric === "l2" ? Math.sqrt(apart) : 1 - dot });
  });
  return all.sort((a, b) => a.distance - b.distance || a.id - b.id).slice(0, k);
}

export async function temporaryDirectory(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "vector-index-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  return join(root, "index");
}

/** Opens an index and closes it with the test. */
export async function openForTest(t: TestContext, dir: string, options?: OpenOptions): Promise<VectorIndex> {
  const index = await openIndex(dir, options);
  t.after(() => index.close());
  return index;
}
