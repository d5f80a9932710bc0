import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { closeTurnStore, createTurnStore, type TurnStore } from "@cytomesh/anndata";
import {
  createIngestWriter,
  defaultPageCells,
  type EncodedBatch,
  type IngestManifest,
  type MatrixEncoding,
} from "@cytomesh/omics-store";
import type { TaskPool } from "@cytomesh/service-kit";
import type { ConvertOptions } from "../schemas/plan.ts";
import type { EncodeRequest } from "./encode-slice.ts";
import type { FileRef, Outline } from "./outline-file.ts";
import { type Slice, slicesOf, turnedSlices } from "./slice.ts";

/** Memory for the encoded pages of a slice; only what is used of it is ever allotted. Few slices need more, and get it. */
const pagesBytes = 8 * 1024 * 1024;

/** A matrix by column is turned round in memory up to this size, beyond it on the disk of `outDir`. */
const turnedBytes = 64 * 1024 * 1024;

/** Everything a conversion needs. */
export interface ConvertRequest {
  readonly path: string;
  /** Local folder that receives the ingest files. */
  readonly outDir: string;
  readonly ingestId: string;
  readonly cellIdStart: number;
  readonly featureIdStart: number;
  /** File name of the source; where it lay is the catalog's to know, so that the same content gives the same files anywhere. */
  readonly sourceName: string;
  readonly sha256: string;
  readonly options: ConvertOptions;
  readonly encoding: MatrixEncoding;
  readonly signal: AbortSignal;
  /** Told how many cells are written. */
  onCells(cells: number): void;
}

/**
 * Write the ingest files of one AnnData file. The threads of the pool read, check and encode slices of cells; here the pages are only put in
 * order and written. A matrix by column is turned round before, by all of them. Memory: one slice per thread and two that wait, one row group.
 * The same cells, ids and options give the same bytes, whatever the layout of the matrix and the number of threads.
 *
 * @throws TaskError what reading found wrong, naming row, cell and gene; OmicsStoreError for obs that cannot be stored.
 */
export async function convertFile(pool: TaskPool, request: ConvertRequest): Promise<IngestManifest> {
  const { path, options } = request;
  const file: FileRef = { path, options, key: randomUUID() };
  const outline = await pool.run<Outline>("outline", file, { signal: request.signal });
  if (outline.turn === undefined) return convertSlices(pool, request, file, outline, undefined);
  await mkdir(request.outDir, { recursive: true });
  const turned = createTurnStore(outline.turn, turnedBytes, request.outDir);
  try {
    await turnRound(pool, file, turned, request.signal);
    return await convertSlices(pool, request, file, outline, turned);
  } finally {
    // No thread uses it any more: all tasks are awaited, also those that were asked to stop.
    closeTurnStore(turned);
  }
}

async function turnRound(
  pool: TaskPool,
  file: FileRef,
  turned: TurnStore,
  signal: AbortSignal,
): Promise<void> {
  const steps = Array.from({ length: turned.steps }, (_, step) => step);
  const work = (step: number, inner: AbortSignal) =>
    pool.run<void>("turn", { ...file, turned, step }, { signal: inner });
  await inOrder(steps, pool.threads + 2, signal, work, () => Promise.resolve(true));
}

async function convertSlices(
  pool: TaskPool,
  request: ConvertRequest,
  file: FileRef,
  outline: Outline,
  turned: TurnStore | undefined,
): Promise<IngestManifest> {
  const { options, encoding } = request;
  const slices =
    turned === undefined
      ? slicesOf(outline.shape, outline.nnz, defaultPageCells)
      : turnedSlices(turned, defaultPageCells);
  const atOnce = pool.threads + 2;
  const floats =
    options.allowNonCounts &&
    (await anyExceedsInt32(pool, { ...file, turned }, slices, atOnce, request.signal));
  const countsType = floats ? "float32" : "int32";
  const writer = await createIngestWriter({
    dir: request.outDir,
    ingestId: request.ingestId,
    cellIdStart: request.cellIdStart,
    featureIdStart: request.featureIdStart,
    features: outline.features,
    obsSchema: outline.sources.map(({ name, type }) => ({ name, type })),
    countsType,
    encoding,
    provenance: { sourceName: request.sourceName, sha256: request.sha256, matrix: outline.matrixPath },
    signal: request.signal,
  });
  try {
    const encode: EncodeRequest["encode"] = {
      countsType,
      encoding,
      featureIdStart: request.featureIdStart,
      nFeatures: outline.features.ids.length,
      pageCells: defaultPageCells,
    };
    const { sources } = outline;
    // Shared memory that goes round: buffers made anew for every slice would keep the garbage collectors busy.
    const free = Array.from({ length: atOnce }, () => new Uint8Array(new SharedArrayBuffer(pagesBytes)));
    await inOrder(
      slices,
      atOnce,
      request.signal,
      async (slice, signal) => {
        const into = free.pop()!;
        const input: EncodeRequest = { ...file, slice, turned, sources, encode: { ...encode, into } };
        return { into, batch: await pool.run<EncodedBatch>("encode", input, { signal }) };
      },
      async ({ into, batch }, { to }) => {
        await writer.appendEncoded(batch);
        free.push(into);
        request.onCells(to);
        return true;
      },
    );
    return await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function anyExceedsInt32(
  pool: TaskPool,
  file: FileRef & { turned: TurnStore | undefined },
  slices: readonly Slice[],
  atOnce: number,
  signal: AbortSignal,
): Promise<boolean> {
  let found = false;
  await inOrder(
    slices,
    atOnce,
    signal,
    (slice, inner) => pool.run<boolean>("exceeds", { ...file, slice }, { signal: inner }),
    (exceeds) => {
      found ||= exceeds;
      return Promise.resolve(!found);
    },
  );
  return found;
}

/**
 * Runs `work` on all items, at most `atOnce` at a time, and `use` on the results in the order of the items, until it says false. The first
 * failure in that order is thrown, so that it does not depend on the threads; work under way is asked to stop, and awaited.
 */
async function inOrder<T, R>(
  items: readonly T[],
  atOnce: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  use: (result: R, item: T) => Promise<boolean>,
): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const running: Promise<R>[] = [];
  try {
    for (let next = 0, used = 0; used < items.length; used++) {
      for (; next < items.length && running.length < atOnce; next++) {
        const started = work(items[next]!, both);
        // Looked at when its turn comes; until then it is no unhandled rejection.
        started.catch(() => undefined);
        running.push(started);
      }
      const result = await running[0]!;
      running.shift();
      signal.throwIfAborted();
      if (!(await use(result, items[used]!))) return;
    }
  } finally {
    stop.abort(new Error("no longer needed"));
    await Promise.allSettled(running);
  }
}
