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
import { ExtractError } from "../errors.ts";
import type { ExtractDeps } from "./deps.ts";
import type { ExtractInput, WrittenBin } from "./extract-task.ts";
import { ingestDirs } from "./ingest-dirs.ts";

/** What is kept about a bin: enough to check it and to skip it. */
interface BinRecord {
  readonly bin: number;
  readonly cells: number;
  readonly nnz: number;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Write the bins of a prepared curriculum. Each bin is an item; those recorded and still in the store are skipped. When every bin of the
 * curriculum is there, the list of bins with checksums is published and the curriculum becomes EXTRACTED.
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
    const present = await alreadyWritten(deps, context, curriculum.name);
    const todo = bins.filter((bin) => !present.has(bin));
    const cellsOf = new Map(manifest.bins.map((bin) => [bin.bin, bin.cells]));
    const count = (list: readonly number[]) => list.reduce((sum, bin) => sum + (cellsOf.get(bin) ?? 0), 0);
    const total = count(bins);
    const doneBefore = total - count(todo);
    context.progress({
      unit: "cells",
      total,
      done: doneBefore,
      message: `${todo.length} of ${bins.length} bin(s) to write`,
    });
    const written = await writeBins(deps, context, {
      curriculum,
      curriculumDir,
      dirs,
      todo,
      onCells: (cells) => context.progress({ done: Math.min(total, doneBefore + cells) }),
    });
    const all = new Map([...present, ...written.map((bin) => [bin.bin, bin] as const)]);
    if (all.size === manifest.bins.length)
      await finish(deps, curriculum, manifest, [...all.values()], context.job.id);
    return {
      curriculum: curriculum.name,
      binsWritten: written.length,
      binsPresent: present.size,
      cells: BigInt(total),
    };
  });
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

async function alreadyWritten(
  deps: ExtractDeps,
  context: JobContext<"extract">,
  curriculum: string,
): Promise<Map<number, BinRecord>> {
  const layout = storeLayout(deps.storeUri);
  const present = new Map<number, BinRecord>();
  for (const item of context.items.values()) {
    if (item.state !== ItemState.SUCCEEDED) continue;
    const record = JSON.parse(Buffer.from(item.checkpoint).toString("utf8")) as BinRecord;
    const stored = await deps.store.head(joinUri(layout.bins(curriculum), binFileName(record.bin)), {
      signal: context.signal,
    });
    if (stored?.size === record.bytes) present.set(record.bin, record);
  }
  return present;
}

interface WriteOptions {
  readonly curriculum: Curriculum;
  readonly curriculumDir: string;
  readonly dirs: string[];
  readonly todo: readonly number[];
  onCells(cells: number): void;
}

async function writeBins(
  deps: ExtractDeps,
  context: JobContext<"extract">,
  o: WriteOptions,
): Promise<BinRecord[]> {
  if (o.todo.length === 0) return [];
  const features = await readFeatures(o.curriculumDir);
  const outDir = await mkdtemp(join(deps.tempDir, "extract-"));
  const records: BinRecord[] = [];
  const uploads: Promise<void>[] = [];
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const cells = new Map<number, number>();
  const keep = async (bin: WrittenBin) => {
    const { path, ...record } = bin;
    await deps.store.putFile(
      joinUri(storeLayout(deps.storeUri).bins(o.curriculum.name), binFileName(bin.bin)),
      path,
      { signal },
    );
    await unlink(path);
    await context.record({
      key: `bin-${String(bin.bin).padStart(6, "0")}`,
      outcome: "succeeded",
      checkpoint: Buffer.from(JSON.stringify(record)),
    });
    records.push(record);
  };
  try {
    const shares = share(o.todo, Math.min(deps.pool.threads, o.todo.length));
    await Promise.all(
      shares.map((bins, thread) => {
        const input: ExtractInput = {
          ingestDirs: o.dirs,
          curriculumDir: o.curriculumDir,
          features,
          bins,
          outDir,
          memoryBytes: Math.floor(deps.memoryBytes / shares.length),
          lineage: {
            curriculum: o.curriculum.name,
            manifestSha256: o.curriculum.manifestSha256,
            seed: Number(o.curriculum.seed),
          },
        };
        return deps.pool.run("extract", input, {
          signal,
          onProgress: (message: { bin?: WrittenBin; cells?: number }) => {
            if (message.bin !== undefined)
              uploads.push(keep(message.bin).catch((error) => void failed.abort(error)));
            if (message.cells !== undefined) {
              cells.set(thread, message.cells);
              o.onCells([...cells.values()].reduce((sum, one) => sum + one, 0));
            }
          },
        });
      }),
    ).catch((error) => {
      if (!failed.signal.aborted) failed.abort(error);
      // The first failure is the cause; what the others report is the echo of its abort.
      throw failed.signal.reason;
    });
    await Promise.all(uploads);
    signal.throwIfAborted();
    return records;
  } finally {
    await Promise.allSettled(uploads);
    await rm(outDir, { recursive: true, force: true });
  }
}

/** Contiguous shares of about equal size, one per thread; each reads the store once per group of bins that fits its memory. */
function share(bins: readonly number[], parts: number): number[][] {
  return Array.from({ length: parts }, (_, i) =>
    bins.slice(Math.floor((i * bins.length) / parts), Math.floor(((i + 1) * bins.length) / parts)),
  );
}

async function finish(
  deps: ExtractDeps,
  curriculum: Curriculum,
  manifest: CurriculumManifest,
  records: readonly BinRecord[],
  jobId: string,
): Promise<void> {
  const bins = [...records].sort((a, b) => a.bin - b.bin);
  const published: BinsManifest = {
    version: 1,
    curriculum: curriculum.name,
    curriculumManifestSha256: curriculum.manifestSha256,
    cells: manifest.cells,
    bins: bins.map(({ bin, cells, nnz, bytes, sha256 }) => ({
      bin,
      file: binFileName(bin),
      cells,
      nnz,
      bytes,
      sha256,
    })),
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
