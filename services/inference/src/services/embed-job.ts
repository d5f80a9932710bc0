import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Curriculum, Model } from "@cytomesh/contracts/catalog/v1/resources";
import { ItemState } from "@cytomesh/contracts/jobs/v1/job";
import { defineHandler, type JobContext } from "@cytomesh/jobs";
import { joinUri, withLocalFile } from "@cytomesh/object-store";
import type { BinsManifest } from "@cytomesh/omics-store";
import { storeLayout } from "@cytomesh/service-kit";
import { readBinsManifest } from "../data-manager/bins.ts";
import { claimFolder, publishManifest } from "../data-manager/publish.ts";
import { InferenceError } from "../errors.ts";
import { binKey, type EmbeddedBin, type EmbeddingManifest, embeddedBinFile } from "../schemas/embedding.ts";
import type { LocalResource } from "../schemas/resources.ts";
import type { InferenceDeps } from "./deps.ts";
import type { EmbedBinInput } from "./embed-task.ts";
import { localFile } from "./local-resources.ts";

/**
 * Run a model over every bin of a curriculum. Each bin is an item; those recorded and still in the store are skipped. The manifest comes
 * last, then the embedding is registered.
 */
export function embedHandler(deps: InferenceDeps) {
  return defineHandler("embed", async (context) => {
    const { spec, signal } = context;
    const model = await deps.catalog.model(spec.model);
    const curriculum = await deps.catalog.curriculum(spec.curriculum);
    const schemaSha256 = await requireSameSchema(deps, model, curriculum);
    const bins = await readBinsManifest(deps.store, deps.storeUri, curriculum, signal);
    const name = spec.embedding === "" ? `${spec.model}.${spec.curriculum}` : spec.embedding;
    const uri = storeLayout(deps.storeUri).embedding(name);
    const source = {
      model: model.name,
      modelSha256: model.sha256,
      curriculum: curriculum.name,
      curriculumManifestSha256: curriculum.manifestSha256,
    };
    await claimFolder(deps.store, uri, source, "embedding-exists", signal);
    const run: Run = {
      deps,
      context,
      uri,
      bins,
      schema: { name: curriculum.featureSchema, sha256: schemaSha256 },
      model: await localFile(deps.copies, "models", model, signal),
    };
    const embedded = await embedBins(run);
    const manifest: EmbeddingManifest = {
      version: 1,
      ...source,
      dimension: model.dimension,
      cells: embedded.reduce((sum, bin) => sum + bin.cells, 0),
      bins: embedded,
    };
    const text = `${JSON.stringify(manifest, undefined, 2)}\n`;
    const manifestSha256 = await publishManifest(deps.store, uri, text, "embedding-exists", signal);
    await deps.catalog.registerEmbedding({
      name,
      model: model.name,
      curriculum: curriculum.name,
      uri,
      manifestSha256,
      cells: BigInt(manifest.cells),
      dimension: model.dimension,
      jobId: context.job.id,
    });
    return { embedding: name, cells: BigInt(manifest.cells), dimension: model.dimension };
  });
}

interface Run {
  readonly deps: InferenceDeps;
  readonly context: JobContext<"embed">;
  readonly uri: string;
  readonly bins: BinsManifest;
  readonly schema: { readonly name: string; readonly sha256: string };
  readonly model: LocalResource;
}

/** The checksum of the schema that model and bins share. */
async function requireSameSchema(deps: InferenceDeps, model: Model, curriculum: Curriculum): Promise<string> {
  const reads = await deps.catalog.featureSchema(model.featureSchema);
  if (model.featureSchema === curriculum.featureSchema) return reads.sha256;
  const has = await deps.catalog.featureSchema(curriculum.featureSchema);
  if (reads.sha256 !== has.sha256)
    throw new InferenceError(
      "schema-mismatch",
      `model ${model.name} reads feature schema ${reads.name} (${reads.size} genes), the bins of curriculum ${curriculum.name} have ${has.name} (${has.size} genes); prepare a curriculum with feature_schema ${reads.name}, or train a model on this one`,
    );
  return has.sha256;
}

/** Every bin of the embedding, in order. */
async function embedBins(run: Run): Promise<EmbeddedBin[]> {
  const { deps, context, bins } = run;
  context.expectItems(bins.bins.length);
  const done = await alreadyEmbedded(run);
  const todo = bins.bins.filter(({ bin }) => !done.has(bin));
  const cells = new Map([...done.values()].map((bin) => [bin.bin, bin.cells]));
  const tell = () => context.progress({ done: [...cells.values()].reduce((sum, one) => sum + one, 0) });
  context.progress({
    unit: "cells",
    total: bins.cells,
    message: `${todo.length} of ${bins.bins.length} bin(s) to embed`,
  });
  tell();
  const outDir = await mkdtemp(join(deps.tempDir, "embed-"));
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const queue = todo.values();
  const work = async () => {
    for (const bin of queue) {
      const record = await embedOne(run, bin, outDir, signal, (count) => {
        cells.set(bin.bin, count);
        tell();
      });
      done.set(bin.bin, record);
    }
  };
  try {
    const threads = Math.min(deps.pool.threads, todo.length);
    // The first failure stops the others, whose own failures then only say so.
    await Promise.all(Array.from({ length: threads }, () => work().catch((error) => failed.abort(error))));
    failed.signal.throwIfAborted();
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
  return [...done.values()].sort((a, b) => a.bin - b.bin);
}

async function alreadyEmbedded({ deps, context, uri, bins }: Run): Promise<Map<number, EmbeddedBin>> {
  const present = new Map<number, EmbeddedBin>();
  const known = new Set(bins.bins.map(({ bin }) => bin));
  for (const item of context.items.values()) {
    if (item.state !== ItemState.SUCCEEDED) continue;
    const record = JSON.parse(Buffer.from(item.checkpoint).toString("utf8")) as EmbeddedBin;
    const stored = await deps.store.head(joinUri(uri, record.file), { signal: context.signal });
    if (known.has(record.bin) && stored?.size === record.bytes) present.set(record.bin, record);
  }
  return present;
}

async function embedOne(
  { deps, context, uri, bins, schema, model }: Run,
  bin: BinsManifest["bins"][number],
  outDir: string,
  signal: AbortSignal,
  onCells: (cells: number) => void,
): Promise<EmbeddedBin> {
  signal.throwIfAborted();
  const binUri = joinUri(storeLayout(deps.storeUri).bins(bins.curriculum), bin.file);
  const outPath = join(outDir, embeddedBinFile(bin.bin));
  try {
    const record = await withLocalFile(
      deps.store,
      binUri,
      (path) => {
        const input: EmbedBinInput = {
          model,
          schema: schema.name,
          schemaSha256: schema.sha256,
          bin: { bin: bin.bin, path, sha256: bin.sha256, cells: bin.cells },
          outPath,
        };
        return deps.pool.run<EmbeddedBin>("embedBin", input, {
          signal,
          onProgress: (message: { cells: number }) => onCells(message.cells),
        });
      },
      { signal, tmpDir: deps.tempDir },
    );
    await deps.store.putFile(joinUri(uri, record.file), outPath, { signal });
    await context.record({
      key: binKey(bin.bin),
      outcome: "succeeded",
      checkpoint: Buffer.from(JSON.stringify(record)),
    });
    onCells(record.cells);
    return record;
  } finally {
    await rm(outPath, { force: true });
  }
}
