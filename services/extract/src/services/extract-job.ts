import { mkdtemp, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type Curriculum, CurriculumState } from "@cytomesh/contracts/catalog/v1/resources";
import { ItemState } from "@cytomesh/contracts/jobs/v1/job";
import { defineHandler, type JobContext } from "@cytomesh/jobs";
import { joinUri, putJson } from "@cytomesh/object-store";
import {
  type BinsManifest,
  binFileName,
  type CurriculumManifest,
  readCurriculum,
  readFeatures,
} from "@cytomesh/omics-store";
import { storeLayout } from "@cytomesh/service-kit";
import { type BinEntry, type BinRecords, binRecords } from "../data-manager/bin-records.ts";
import { ExtractError } from "../errors.ts";
import type { ExtractDeps } from "./deps.ts";
import type { WrittenBin } from "./extract-task.ts";
import { ingestDirs } from "./ingest-dirs.ts";
import { writeBins } from "./write-bins.ts";

/**
 * Write the bins of a prepared curriculum. Each bin is an item. Bins that are there are skipped, unless a spec names them and this job has
 * not written them yet: naming a bin repairs it. When every bin of the curriculum is there, whichever jobs wrote them, the list of bins
 * with checksums is published and the curriculum becomes EXTRACTED.
 */
export function extractHandler(deps: ExtractDeps) {
  return defineHandler("extract", async (context) => {
    const { spec, signal } = context;
    const curriculum = await deps.catalog.curriculum(spec.curriculum);
    const dirs = await ingestDirs(deps, curriculum.dataset, curriculum.ingestIds, signal);
    const curriculumDir = await deps.copies.folder(curriculum.uri, `curricula/${curriculum.name}`, {
      signal,
      files: ["manifest.json", "assignments.parquet", "features.json"],
    });
    const manifest = await readCurriculum(curriculumDir);
    const bins = chooseBins(manifest, spec.bins);
    context.expectItems(bins.length);
    const records = binRecords(deps.store, deps.storeUri, curriculum, signal);
    const present = await records.all();
    const mine = (bin: number) => context.items.get(itemKey(bin))?.state === ItemState.SUCCEEDED;
    const todo = bins.filter((bin) => !present.has(bin) || (spec.bins.length > 0 && !mine(bin)));
    const total = cellsOf(manifest, bins);
    const doneBefore = total - cellsOf(manifest, todo);
    context.progress({
      unit: "cells",
      total,
      done: doneBefore,
      message: `${todo.length} of ${bins.length} bin(s) to write`,
    });
    const written = await writeAndKeep(deps, context, {
      curriculum,
      curriculumDir,
      dirs,
      todo,
      records,
      onCells: (cells) => context.progress({ done: Math.min(total, doneBefore + cells) }),
    });
    // Looked at again, as another job may have written the rest meanwhile.
    const all = await records.all();
    if (manifest.bins.every(({ bin }) => all.has(bin)))
      await finish(deps, curriculum, manifest, all, context.job.id);
    return {
      curriculum: curriculum.name,
      binsWritten: written,
      binsPresent: bins.length - written,
      cells: BigInt(total),
    };
  });
}

const itemKey = (bin: number): string => `bin-${String(bin).padStart(6, "0")}`;

function cellsOf(manifest: CurriculumManifest, bins: readonly number[]): number {
  const cells = new Map(manifest.bins.map((bin) => [bin.bin, bin.cells]));
  return bins.reduce((sum, bin) => sum + (cells.get(bin) ?? 0), 0);
}

function chooseBins(manifest: CurriculumManifest, wanted: readonly number[]): number[] {
  const known = new Set(manifest.bins.map((bin) => bin.bin));
  const unknown = wanted.filter((bin) => !known.has(bin));
  if (unknown.length > 0)
    throw new ExtractError(
      "no-such-bin",
      `bins ${unknown.slice(0, 10).join(", ")} do not exist; the curriculum has bins 0 to ${manifest.bins.length - 1}`,
    );
  return wanted.length > 0 ? [...new Set(wanted)].sort((a, b) => a - b) : [...known];
}

interface WriteOptions {
  readonly curriculum: Curriculum;
  readonly curriculumDir: string;
  readonly dirs: string[];
  readonly todo: readonly number[];
  readonly records: BinRecords;
  onCells(cells: number): void;
}

/** Write bins in the threads and upload each when it is there. Returns how many. */
async function writeAndKeep(
  deps: ExtractDeps,
  context: JobContext<"extract">,
  o: WriteOptions,
): Promise<number> {
  if (o.todo.length === 0) return 0;
  const features = await readFeatures(o.curriculumDir);
  const outDir = await mkdtemp(join(deps.tempDir, "extract-"));
  const uploads: Promise<void>[] = [];
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  // What came first, a failure or the end of the attempt, is the cause; what the others report then is its echo.
  const fail = (error: unknown) => {
    if (!signal.aborted) failed.abort(error);
  };
  const { name, manifestSha256, seed } = o.curriculum;
  let cells = 0;
  try {
    await writeBins(deps.pool, {
      ingestDirs: o.dirs,
      curriculumDir: o.curriculumDir,
      bins: [...o.todo],
      memoryBytes: deps.memoryBytes,
      features,
      outDir,
      lineage: { curriculum: name, manifestSha256, seed: Number(seed) },
      signal,
      onBin: (bin) => uploads.push(keepBin(deps, context, o, bin, signal).catch(fail)),
      onCells: (more) => {
        cells += more;
        o.onCells(cells);
      },
    }).catch((error) => {
      fail(error);
      throw signal.reason;
    });
    await Promise.all(uploads);
    signal.throwIfAborted();
    return uploads.length;
  } finally {
    await Promise.allSettled(uploads);
    await rm(outDir, { recursive: true, force: true });
  }
}

/** Upload a bin, note it, and forget the local file. */
async function keepBin(
  deps: ExtractDeps,
  context: JobContext<"extract">,
  { curriculum, records }: WriteOptions,
  { path, ...written }: WrittenBin,
  signal: AbortSignal,
): Promise<void> {
  const file = binFileName(written.bin);
  await deps.store.putFile(joinUri(storeLayout(deps.storeUri).bins(curriculum.name), file), path, {
    signal,
    handOver: true,
  });
  await unlink(path);
  await records.put({ ...written, file });
  await context.record({ key: itemKey(written.bin), outcome: "succeeded" });
}

async function finish(
  deps: ExtractDeps,
  curriculum: Curriculum,
  manifest: CurriculumManifest,
  entries: ReadonlyMap<number, BinEntry>,
  jobId: string,
): Promise<void> {
  const published: BinsManifest = {
    version: 1,
    curriculum: curriculum.name,
    curriculumManifestSha256: curriculum.manifestSha256,
    cells: manifest.cells,
    bins: [...entries.values()].sort((a, b) => a.bin - b.bin),
  };
  await putJson(
    deps.store,
    joinUri(storeLayout(deps.storeUri).bins(curriculum.name), "manifest.json"),
    published,
  );
  const { $typeName: _type, $unknown: _unknown, createdAt: _created, ...fields } = curriculum;
  await deps.catalog.registerCurriculum({
    ...fields,
    state: CurriculumState.EXTRACTED,
    jobId: fields.jobId || jobId,
  });
}
