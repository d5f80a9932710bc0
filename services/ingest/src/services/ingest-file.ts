import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { isParsedOnOpen } from "@cytomesh/anndata";
import { IngestedFile_Outcome as Outcome } from "@cytomesh/contracts/jobs/v1/specs";
import { type ObjectStore, sha256OfSource, stampOfSource } from "@cytomesh/object-store";
import type { MatrixEncoding } from "@cytomesh/omics-store";
import { storeLayout, type TaskPool } from "@cytomesh/service-kit";
import type { IngestCatalog } from "../clients/catalog.ts";
import { publishIngest } from "../data-manager/ingest-files.ts";
import { withReadableSource } from "../data-manager/source-files.ts";
import { IngestError } from "../errors.ts";
import { type ConvertOptions, fingerprintOf } from "../schemas/plan.ts";
import { convertFile } from "./convert-file.ts";
import { acceptedPlan, type VettedFile, type Vetting, vetFile } from "./vet-file.ts";

/** What the domain needs from outside. */
export interface IngestDeps {
  readonly store: ObjectStore;
  readonly storeUri: string;
  readonly tempDir: string;
  readonly catalog: IngestCatalog;
  readonly pool: TaskPool;
  /** How long a file may keep the reader busy before it counts as hostile, in ms. */
  readonly readerTimeoutMs: number;
  /** How count lists are stored. */
  readonly encoding: MatrixEncoding;
}

/** One file of an ingest job. */
export interface FileRequest {
  readonly uri: string;
  readonly dataset: string;
  readonly options: ConvertOptions;
  readonly vetting: Vetting;
  readonly validateOnly: boolean;
  readonly jobId: string;
  readonly tag: string;
  readonly signal: AbortSignal;
  /** Told how many cells are written. */
  onCells(cells: number, total: number): void;
}

/** What became of a file, as the job's result lists it. */
export interface FileOutcome {
  readonly uri: string;
  readonly outcome: Outcome;
  readonly ingestId: string;
  readonly cells: number;
  readonly features: number;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly sha256: string;
}

/**
 * Ingest one file: hash → recognise → vet → reserve ids → convert → publish → commit. Every step finds what an earlier attempt left: the
 * catalog gives the same ingest and ids for the same content, conversion gives the same bytes, publishing and committing are repeat-safe.
 *
 * @throws IngestError `invalid-file` with everything wrong in `problems`; errors of store and catalog as they are.
 */
export async function ingestFile(deps: IngestDeps, request: FileRequest): Promise<FileOutcome> {
  const early = vetEarly(deps, request);
  try {
    return await hashAndIngest(deps, request, early.vetted);
  } finally {
    await early.stop();
  }
}

/** A file at hand is vetted while it is hashed. What came of it is looked at in its turn, if it is needed at all. */
function vetEarly(
  deps: IngestDeps,
  request: FileRequest,
): { vetted: Promise<VettedFile> | undefined; stop(): Promise<void> } {
  const path = localPathOf(deps.store, request.uri);
  if (path === undefined || isParsedOnOpen(path)) return { vetted: undefined, stop: async () => undefined };
  const enough = new AbortController();
  const signal = AbortSignal.any([request.signal, enough.signal]);
  const vetted = vetFile(deps, path, { ...request, signal });
  vetted.catch(() => undefined);
  return {
    vetted,
    async stop() {
      enough.abort(new Error("no longer needed"));
      await vetted.catch(() => undefined);
    },
  };
}

/** undefined for what lies elsewhere, and for what the store refuses: hashing says so. */
function localPathOf(store: ObjectStore, uri: string): string | undefined {
  try {
    return store.localPath(uri.replace(/\/+$/, ""));
  } catch {
    return undefined;
  }
}

async function hashAndIngest(
  deps: IngestDeps,
  request: FileRequest,
  early: Promise<VettedFile> | undefined,
): Promise<FileOutcome> {
  const { uri, signal } = request;
  const stamp = await stampOfSource(deps.store, uri, { signal });
  const sha256 = await sha256OfSource(deps.store, uri, { signal });
  const outcome = (part: Partial<FileOutcome> & { outcome: Outcome }): FileOutcome => ({
    uri,
    ingestId: "",
    cells: 0,
    features: 0,
    problems: [],
    warnings: [],
    sha256,
    ...part,
  });
  const vet = async () => {
    const vetted = await (early ??
      withReadableSource(deps, uri, signal, (path) => vetFile(deps, path, request)));
    return { ...acceptedPlan(vetted), warnings: vetted.warnings };
  };
  if (request.validateOnly) {
    const { cells, features, warnings } = await vet();
    return outcome({ outcome: Outcome.VALID, cells, features, warnings });
  }
  const ticket = await deps.catalog.begin({
    dataset: request.dataset,
    sourceUri: uri,
    sha256,
    optionsFingerprint: fingerprintOf(request.options),
    jobId: request.jobId,
    tag: request.tag,
  });
  if (ticket.committed) {
    // It is there, but was it held against this profile?
    const { warnings } = request.vetting.asked ? await vet() : { warnings: [] };
    const { id: ingestId, cells, features } = ticket;
    return outcome({ outcome: Outcome.ALREADY_PRESENT, ingestId, cells, features, warnings });
  }
  try {
    const written = await withReadableSource(deps, uri, signal, (path) =>
      write(deps, request, path, { stamp, sha256 }, ticket.id, early),
    );
    return outcome({ outcome: Outcome.COMMITTED, ingestId: ticket.id, ...written });
  } catch (error) {
    if (!signal.aborted) await deps.catalog.fail(ticket.id, (error as Error).message).catch(() => undefined);
    throw error;
  }
}

async function write(
  deps: IngestDeps,
  request: FileRequest,
  path: string,
  content: { stamp: string | undefined; sha256: string },
  ingestId: string,
  early: Promise<VettedFile> | undefined,
): Promise<{ cells: number; features: number; warnings: readonly string[] }> {
  const { signal, options } = request;
  const vetted = await (early ?? vetFile(deps, path, request));
  const plan = acceptedPlan(vetted);
  const ids = await deps.catalog.reserve(ingestId, plan.cells, plan.features);
  const outDir = await mkdtemp(join(deps.tempDir, `${ingestId}-`));
  try {
    await convertFile(deps.pool, {
      path,
      outDir,
      ingestId,
      cellIdStart: ids.cellIdStart,
      featureIdStart: ids.featureIdStart,
      sourceName: request.uri.slice(request.uri.lastIndexOf("/") + 1),
      sha256: content.sha256,
      options,
      encoding: deps.encoding,
      signal,
      onCells: (cells) => request.onCells(cells, plan.cells),
    });
    // A file that changed under our hands would be stored under the hash of another content.
    if (!(await isUnchanged(deps.store, request.uri, content, signal)))
      throw new IngestError(
        "file-changed",
        `${request.uri} changed while it was read; ingest it again once it is complete`,
      );
    const layout = storeLayout(deps.storeUri);
    const manifestSha256 = await publishIngest(
      deps.store,
      layout.ingest(request.dataset, ingestId),
      outDir,
      signal,
    );
    await deps.catalog.commit(ingestId, manifestSha256, request.jobId);
    return { cells: plan.cells, features: plan.features, warnings: vetted.warnings };
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

/** By its stamp, where that tells; by its content where not. */
async function isUnchanged(
  store: ObjectStore,
  uri: string,
  { stamp, sha256 }: { stamp: string | undefined; sha256: string },
  signal: AbortSignal,
): Promise<boolean> {
  if (stamp !== undefined && (await stampOfSource(store, uri, { signal })) === stamp) return true;
  return (await sha256OfSource(store, uri, { signal })) === sha256;
}
