import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Curriculum, Embedding, Model } from "@cytomesh/contracts/catalog/v1/resources";
import { type BuildIndexSpec, DistanceMetric } from "@cytomesh/contracts/jobs/v1/specs";
import { defineHandler, type JobContext } from "@cytomesh/jobs";
import { joinUri, withLocalFiles } from "@cytomesh/object-store";
import { readCurriculum } from "@cytomesh/omics-store";
import { storeLayout } from "@cytomesh/service-kit";
import type { IndexManifest, Metric } from "@cytomesh/vector-index";
import { readEmbedding } from "../data-manager/embeddings.ts";
import { publishIndex } from "../data-manager/index-files.ts";
import { claimFolder } from "../data-manager/publish.ts";
import { InferenceError } from "../errors.ts";
import type { EmbeddingManifest } from "../schemas/embedding.ts";
import type { BuildIndexInput } from "./build-index-task.ts";
import type { InferenceDeps } from "./deps.ts";
import { labelColumn, termColumn } from "./neighbor-tasks.ts";

/** Neighbours per query when neither the spec nor a request says; the number that annotation services of the field use. */
export const defaultNeighbors = 100;

const metrics: Readonly<Record<DistanceMetric, Metric>> = {
  [DistanceMetric.UNSPECIFIED]: "cosine",
  [DistanceMetric.COSINE]: "cosine",
  [DistanceMetric.L2]: "l2",
  [DistanceMetric.DOT_PRODUCT]: "dot_product",
};

/** Build an index over an embedding: vectors, ids and labels → files → register. Building again gives the same files. */
export function buildIndexHandler(deps: InferenceDeps) {
  return defineHandler("buildIndex", async (context) => {
    const { spec, signal } = context;
    const embedding = await deps.catalog.embedding(spec.embedding);
    const model = await deps.catalog.model(embedding.model);
    const curriculum = await deps.catalog.curriculum(embedding.curriculum);
    if (spec.ontology !== "") await deps.catalog.ontology(spec.ontology);
    const vectors = await readEmbedding(deps.store, embedding, signal);
    requireSameOrigin(vectors, model, curriculum);
    const curriculumDir = await deps.copies.folder(curriculum.uri, `curricula/${curriculum.name}`, {
      signal,
      files: ["manifest.json", "assignments.parquet", "features.json"],
    });
    const columns = await chooseColumns(curriculum.name, curriculumDir, spec.metadataColumns);
    const metric = metrics[spec.metric] ?? "cosine";
    const uri = storeLayout(deps.storeUri).index(spec.index);
    const source = {
      embedding: embedding.name,
      embeddingManifestSha256: embedding.manifestSha256,
      metric,
      columns,
    };
    await claimFolder(deps.store, uri, source, "index-exists", signal);
    const input = {
      embedding: vectors,
      curriculumDir,
      columns,
      metric,
      lineage: lineageOf(embedding, model, curriculum),
    };
    const { manifest, sha256 } = await buildAndPublish(deps, context, embedding.uri, uri, input);
    await register(deps, context, { embedding, columns, manifest, sha256, uri });
    return { index: spec.index, cells: BigInt(manifest.size), kind: manifest.kind };
  });
}

function requireSameOrigin(vectors: EmbeddingManifest, model: Model, curriculum: Curriculum): void {
  if (vectors.modelSha256 !== model.sha256 || vectors.curriculumManifestSha256 !== curriculum.manifestSha256)
    throw new InferenceError(
      "curriculum-changed",
      `the embedding was made from model ${vectors.model} (${vectors.modelSha256.slice(0, 12)}) and curriculum ${vectors.curriculum} (${vectors.curriculumManifestSha256.slice(0, 12)}), but the catalog now has ${model.sha256.slice(0, 12)} and ${curriculum.manifestSha256.slice(0, 12)}; embed again`,
    );
}

/** The columns asked for, and those that vote where the curriculum has them. */
async function chooseColumns(
  curriculum: string,
  curriculumDir: string,
  wanted: readonly string[],
): Promise<string[]> {
  const known = (await readCurriculum(curriculumDir)).obsColumns.map((column) => column.name);
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new InferenceError(
      "unknown-column",
      `metadata_columns names ${unknown.join(", ")}, but curriculum ${curriculum} carries ${known.join(", ") || "no columns"}`,
    );
  return [...new Set([...wanted, ...[labelColumn, termColumn].filter((name) => known.includes(name))])];
}

function lineageOf(embedding: Embedding, model: Model, curriculum: Curriculum): BuildIndexInput["lineage"] {
  return {
    embedding: { name: embedding.name, manifestSha256: embedding.manifestSha256 },
    model: { name: model.name, sha256: model.sha256 },
    curriculum: { name: curriculum.name, manifestSha256: curriculum.manifestSha256 },
    ingests: [...curriculum.ingestIds],
  };
}

async function buildAndPublish(
  deps: InferenceDeps,
  context: JobContext<"buildIndex">,
  embeddingUri: string,
  uri: string,
  input: Omit<BuildIndexInput, "paths" | "outDir">,
): Promise<{ manifest: IndexManifest; sha256: string }> {
  const { signal } = context;
  const { cells, bins } = input.embedding;
  context.progress({ unit: "cells", total: cells, message: `reading ${bins.length} bin(s)` });
  const work = await mkdtemp(join(deps.tempDir, "index-"));
  try {
    const outDir = join(work, "index");
    const uris = bins.map((bin) => joinUri(embeddingUri, bin.file));
    const manifest = await withLocalFiles(
      deps.store,
      uris,
      (paths) => {
        const full: BuildIndexInput = { ...input, paths, outDir };
        return deps.pool.run<IndexManifest>("buildIndex", full, {
          signal,
          onProgress: ({ cells: done, message }: { cells?: number; message?: string }) =>
            context.progress({
              ...(done === undefined ? {} : { done }),
              ...(message === undefined ? {} : { message }),
            }),
        });
      },
      { signal, tmpDir: deps.tempDir },
    );
    context.progress({ done: cells, message: "publishing" });
    return { manifest, sha256: await publishIndex(deps.store, uri, outDir, signal) };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function register(
  deps: InferenceDeps,
  context: JobContext<"buildIndex">,
  made: {
    embedding: Embedding;
    columns: string[];
    manifest: IndexManifest;
    sha256: string;
    uri: string;
  },
): Promise<void> {
  const spec: BuildIndexSpec = context.spec;
  const { embedding, manifest } = made;
  await deps.catalog.registerIndex({
    name: spec.index,
    embedding: embedding.name,
    model: embedding.model,
    uri: made.uri,
    manifestSha256: made.sha256,
    kind: manifest.kind,
    metric: manifest.metric,
    cells: BigInt(manifest.size),
    dimension: manifest.dimension,
    metadataColumns: made.columns,
    ontology: spec.ontology,
    defaultNeighbors: spec.defaultNeighbors === 0 ? defaultNeighbors : spec.defaultNeighbors,
    isDefault: spec.makeDefault,
    jobId: context.job.id,
  });
  if (spec.makeDefault) await deps.catalog.setDefaultModel(embedding.model);
}
