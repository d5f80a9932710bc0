import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { IngestCommittedSchema } from "@cytomesh/contracts/events/v1/events";
import type { CatalogTransaction } from "../../data-manager/catalog-store.ts";
import { ApiError, notFound, throwViolations } from "../../errors.ts";
import type { IngestRecord } from "../../schemas/catalog.ts";
import { createChecks } from "../../schemas/checks.ts";
import { type CatalogContext, subjectToken } from "./context.ts";

const MAX_URI = 4_096;
const MAX_TEXT = 256;
// Far above any dataset and far below 2^53, where ids in JavaScript and float64 columns end.
const MAX_IDS = 2n ** 40n;

export interface BeginIngest {
  readonly dataset: string;
  readonly sourceUri: string;
  readonly sha256: string;
  readonly optionsFingerprint: string;
  readonly jobId: string;
  readonly tag: string;
}

/** `ing-` and 16 hex digits of the SHA-256 over dataset, content and options, one per line. */
function ingestId({ dataset, sha256, optionsFingerprint }: BeginIngest): string {
  const hash = createHash("sha256").update(`${dataset}\n${sha256}\n${optionsFingerprint}`).digest("hex");
  return `ing-${hash.slice(0, 16)}`;
}

/** Begins, resumes or recognises an ingest. Errors: see `CatalogService.BeginIngest`. */
export async function beginIngest(context: CatalogContext, request: BeginIngest): Promise<IngestRecord> {
  const checks = createChecks();
  checks.dataset("dataset", request.dataset);
  checks.text("source_uri", request.sourceUri, MAX_URI);
  checks.sha256("sha256", request.sha256);
  checks.optionalText("options_fingerprint", request.optionsFingerprint, MAX_TEXT);
  checks.optionalText("job_id", request.jobId, MAX_TEXT);
  checks.optionalText("tag", request.tag, MAX_TEXT);
  throwViolations("the request", checks.violations);
  const { dataset, sourceUri, sha256, optionsFingerprint, jobId, tag } = request;
  const id = ingestId(request);
  return await context.store.transaction(async (tx) => {
    if ((await tx.dataset(dataset)) === undefined) throw notFound("dataset", dataset);
    const uri = context.layout.ingest(dataset, id);
    const startedAt = context.clock();
    const begun = await tx.insertIngest({
      ...{ id, dataset, sourceUri, sha256, optionsFingerprint },
      ...{ uri, jobId, tag, startedAt },
    });
    if (begun) return begun;
    const known = await locked(tx, id);
    if (known.state === "committed") return known;
    // A retry: same id, same ranges.
    return await tx.updateIngest(id, { state: "started", sourceUri, jobId, tag, error: "" });
  });
}

async function locked(tx: CatalogTransaction, id: string): Promise<IngestRecord> {
  const ingest = await tx.lockIngest(id);
  if (ingest === undefined) throw notFound("ingest", id);
  return ingest;
}

/** Reserves contiguous id ranges. Errors: see `CatalogService.ReserveIds`, `invalid_argument`. */
export async function reserveIds(
  context: CatalogContext,
  request: { readonly ingestId: string; readonly cells: bigint; readonly features: bigint },
): Promise<IngestRecord> {
  const { cells, features } = request;
  const checks = createChecks();
  checks.range("cells", cells, 1n, MAX_IDS);
  checks.range("features", features, 1n, MAX_IDS);
  throwViolations("the request", checks.violations);
  return await context.store.transaction(async (tx) => {
    const ingest = await locked(tx, request.ingestId);
    if (ingest.state === "committed")
      throw new ApiError("failed_precondition", `ingest ${ingest.id} is committed; its ids are final`);
    if (ingest.cells === undefined) {
      const ids = await tx.takeIds(ingest.dataset, cells, features);
      return await tx.updateIngest(ingest.id, { ...ids, cells, features });
    }
    if (ingest.cells === cells && ingest.features === features) return ingest;
    throw new ApiError(
      "failed_precondition",
      `ingest ${ingest.id} has ids for ${ingest.cells} cells and ${ingest.features} features, ` +
        `now ${cells} and ${features} were asked for; the same content cannot have two sizes`,
    );
  });
}

/** Makes an ingest count, once. Errors: see `CatalogService.CommitIngest`. */
export async function commitIngest(
  context: CatalogContext,
  request: { readonly ingestId: string; readonly manifestSha256: string; readonly jobId: string },
): Promise<IngestRecord> {
  const { manifestSha256, jobId } = request;
  const checks = createChecks();
  checks.sha256("manifest_sha256", manifestSha256);
  checks.optionalText("job_id", jobId, MAX_TEXT);
  throwViolations("the request", checks.violations);
  return await context.store.transaction(async (tx) => {
    const ingest = await locked(tx, request.ingestId);
    if (ingest.state === "committed") {
      if (ingest.manifestSha256 === manifestSha256) return ingest;
      throw new ApiError(
        "already_exists",
        `ingest ${ingest.id} is committed with manifest ${ingest.manifestSha256}, not ${manifestSha256}`,
      );
    }
    const { id, dataset, cells } = ingest;
    if (cells === undefined)
      throw new ApiError(
        "failed_precondition",
        `ingest ${id} has no ids; call ReserveIds before CommitIngest`,
      );
    // A failed one too: its manifest exists, and that is what makes cells visible.
    const committed = await tx.updateIngest(id, {
      ...{ state: "committed", manifestSha256, jobId, error: "" },
      committedAt: context.clock(),
    });
    await tx.countIngest(dataset, cells);
    const fact = create(IngestCommittedSchema, { ingestId: id, dataset, cells });
    await tx.addFact(`events.ingest.${subjectToken(id)}.committed`, toBinary(IngestCommittedSchema, fact));
    return committed;
  });
}

/** Gives an ingest up. Errors: see `CatalogService.FailIngest`. */
export async function failIngest(
  context: CatalogContext,
  request: { readonly ingestId: string; readonly error: string },
): Promise<IngestRecord> {
  return await context.store.transaction(async (tx) => {
    const ingest = await locked(tx, request.ingestId);
    if (ingest.state === "committed") return ingest;
    const error = request.error || "no reason was given";
    return await tx.updateIngest(ingest.id, { state: "failed", error });
  });
}
