import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Assignments, readAssignments } from "@cytomesh/omics-store";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { buildIndex, type IndexManifest, type Json, type Metric } from "@cytomesh/vector-index";
import { InferenceError } from "../errors.ts";
import type { EmbeddingManifest } from "../schemas/embedding.ts";
import { metadataColumn } from "./index-columns.ts";

/** Input of {@link build}. */
export interface BuildIndexInput {
  readonly embedding: EmbeddingManifest;
  /** Local files of its bins, in order. */
  readonly paths: readonly string[];
  readonly curriculumDir: string;
  readonly columns: readonly string[];
  readonly metric: Metric;
  readonly lineage: Record<string, Json>;
  readonly outDir: string;
}

/**
 * Build an index over an embedding: vectors bin by bin, ids and metadata from the assignments of the curriculum, which are in that order
 * too. The same input gives the same files.
 *
 * @throws InferenceError `damaged-file`, `too-many-categories`, `no-direction`; VectorIndexError
 */
export async function build(input: BuildIndexInput, context: TaskContext): Promise<IndexManifest> {
  await context.breathe();
  const { embedding } = input;
  const assignments = await readAssignments(input.curriculumDir, {
    columns: input.columns,
    signal: context.signal,
  });
  const cells = assignments.cellIds.length;
  if (cells !== embedding.cells)
    throw new InferenceError(
      "damaged-file",
      `the embedding has ${embedding.cells} cells, curriculum ${embedding.curriculum} assigns ${cells}`,
    );
  const metadata = input.columns.map((name) =>
    metadataColumn(name, assignments.columns[name] as Assignments["columns"][string]),
  );
  const vectors = await readVectors(input, context);
  context.progress({ message: `building over ${cells} vectors` });
  await context.breathe();
  return buildIndex(
    {
      dimension: embedding.dimension,
      metric: input.metric,
      ids: assignments.cellIds,
      vectors,
      metadata,
      manifest: input.lineage,
    },
    input.outDir,
    { signal: context.signal },
  ).catch((error: unknown) => {
    throw namingCell(error, assignments.cellIds);
  });
}

async function readVectors(input: BuildIndexInput, context: TaskContext): Promise<Float32Array> {
  const { embedding, paths } = input;
  const vectors = new Float32Array(embedding.cells * embedding.dimension);
  const bytes = new Uint8Array(vectors.buffer);
  let at = 0;
  let cells = 0;
  for (const [i, bin] of embedding.bins.entries()) {
    const part = await readFile(paths[i] as string);
    const sha256 = createHash("sha256").update(part).digest("hex");
    const expected = bin.cells * embedding.dimension * Float32Array.BYTES_PER_ELEMENT;
    if (sha256 !== bin.sha256 || part.length !== expected || at + part.length > bytes.length)
      throw new InferenceError(
        "damaged-file",
        `${bin.file} of the embedding has ${part.length} bytes with SHA-256 ${sha256}, its manifest says ${expected} with ${bin.sha256}`,
      );
    bytes.set(part, at);
    at += part.length;
    cells += bin.cells;
    context.progress({ cells });
    await context.breathe();
  }
  if (at !== bytes.length)
    throw new InferenceError(
      "damaged-file",
      `the bins of the embedding hold ${cells} cells, its manifest says ${embedding.cells}`,
    );
  return vectors;
}

/** The index knows vectors by position. */
function namingCell(error: unknown, cellIds: Float64Array): unknown {
  const { tag, row, message } = error as { tag?: string; row?: number; message: string };
  if (tag !== "invalid_vector" || row === undefined) return error;
  return new InferenceError("no-direction", `cell ${cellIds[row]}: ${message}`, { cause: error });
}
