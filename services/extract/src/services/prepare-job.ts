import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { CurriculumState } from "@cytomesh/contracts/catalog/v1/resources";
import { FeatureDerivation } from "@cytomesh/contracts/jobs/v1/specs";
import { defineHandler, type JobContext } from "@cytomesh/jobs";
import { type CurriculumManifest, openIngest } from "@cytomesh/omics-store";
import { storeLayout } from "@cytomesh/service-kit";
import { frozenIngests, publishCurriculum } from "../data-manager/curriculum-files.ts";
import { ExtractError } from "../errors.ts";
import type { ExtractDeps } from "./deps.ts";
import { deriveFeatures } from "./features.ts";
import { ingestDirs } from "./ingest-dirs.ts";
import type { PrepareInput } from "./prepare-task.ts";

/** Cells per bin when a spec names none; the size that training loaders of the field expect. */
const defaultBinSize = 10_000;

/** Columns of the warehouse that every bin carries: where a cell came from, and its total counts for normalisation. */
const alwaysCarried = ["original_cell_id", "ingest_id", "n_counts"];

/** Prepare a curriculum: freeze the ingests → features → rank and cut → feature schema → publish → register. */
export function prepareHandler(deps: ExtractDeps) {
  return defineHandler("prepare", async (context) => {
    const { spec, signal } = context;
    const ids = await chooseIngests(deps, context);
    const dirs = await ingestDirs(deps, spec.dataset, ids, signal);
    const features = await chooseFeatures(deps, context, dirs);
    context.progress({ message: `ranking cells of ${ids.length} ingest(s)`, unit: "cells" });
    const outDir = await mkdtemp(join(deps.tempDir, "prepare-"));
    try {
      const input: PrepareInput = {
        ingestDirs: dirs,
        outDir: join(outDir, "curriculum"),
        request: await requestOf(context, features, dirs),
      };
      const manifest = await deps.pool.run<CurriculumManifest>("prepare", input, { signal });
      context.progress({ done: manifest.cells, total: manifest.cells, message: "publishing" });
      await publish(deps, context, { manifest, features, localDir: input.outDir });
      return {
        curriculum: spec.curriculum,
        cells: BigInt(manifest.cells),
        bins: manifest.bins.length,
        lastBinCells: manifest.lastBinCells,
        features: features.length,
      };
    } finally {
      await rm(outDir, { recursive: true, force: true });
    }
  });
}

async function requestOf(
  { spec }: JobContext<"prepare">,
  features: string[],
  dirs: readonly string[],
): Promise<PrepareInput["request"]> {
  const columns = spec.obsColumns.length > 0 ? spec.obsColumns : await sharedColumns(dirs);
  return {
    filters: spec.filters ?? {},
    features,
    binSize: spec.binSize === 0 ? defaultBinSize : spec.binSize,
    binKeys: spec.binKeys,
    seed: Number(spec.seed),
    obsColumns: [...new Set([...alwaysCarried, ...columns])],
  };
}

/** Everything that others see, once nothing can go wrong with the request any more: a wrong one leaves no feature schema behind. */
async function publish(
  deps: ExtractDeps,
  context: JobContext<"prepare">,
  made: { manifest: CurriculumManifest; features: string[]; localDir: string },
): Promise<void> {
  const { spec, signal, job } = context;
  const { manifest } = made;
  const derived = spec.featureSchema === "";
  if (derived) await deps.catalog.createFeatureSchema(spec.curriculum, made.features);
  const uri = storeLayout(deps.storeUri).curriculum(spec.curriculum);
  const manifestSha256 = await publishCurriculum(deps.store, uri, made.localDir, signal);
  await deps.catalog.registerCurriculum({
    name: spec.curriculum,
    dataset: spec.dataset,
    state: CurriculumState.PREPARED,
    featureSchema: derived ? spec.curriculum : spec.featureSchema,
    uri,
    manifestSha256,
    cells: BigInt(manifest.cells),
    bins: manifest.bins.length,
    lastBinCells: manifest.lastBinCells,
    binSize: manifest.binSize,
    seed: spec.seed,
    ...(spec.filters === undefined ? {} : { filters: spec.filters }),
    obsColumns: manifest.obsColumns.map((column) => column.name),
    binKeys: manifest.binKeys,
    ingestIds: manifest.ingests.map((ingest) => ingest.ingestId),
    jobId: job.id,
  });
}

async function chooseIngests(deps: ExtractDeps, context: JobContext<"prepare">): Promise<string[]> {
  const { dataset } = context.spec;
  const current = (await deps.catalog.ingests(dataset)).map((ingest) => ingest.id);
  if (current.length === 0)
    throw new ExtractError(
      "no-ingests",
      `dataset ${dataset} has no committed ingest yet; ingest files first`,
    );
  return frozenIngests(deps.store, storeLayout(deps.storeUri).scratch(context.job.id), current);
}

/** The genes of the named schema, else those derived from the ingests. */
async function chooseFeatures(
  deps: ExtractDeps,
  { spec, signal, progress }: JobContext<"prepare">,
  dirs: readonly string[],
): Promise<string[]> {
  if (spec.featureSchema !== "") return deps.catalog.featureIds(spec.featureSchema);
  const mode = spec.deriveFeatures === FeatureDerivation.INTERSECTION ? "intersection" : "union";
  progress({ message: `${mode} of the features of ${dirs.length} ingest(s)` });
  return deriveFeatures(dirs, mode, signal);
}

/** Obs columns that every ingest has. */
async function sharedColumns(dirs: readonly string[]): Promise<string[]> {
  const counts = new Map<string, number>();
  for (const dir of dirs)
    for (const { name } of (await openIngest(dir)).manifest.obsSchema)
      counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].filter(([, count]) => count === dirs.length).map(([name]) => name);
}
