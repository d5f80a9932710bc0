import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ItemState } from "@cytomesh/contracts/jobs/v1/job";
import {
  type IngestedFile,
  IngestedFileSchema,
  IngestedFile_Outcome as Outcome,
} from "@cytomesh/contracts/jobs/v1/specs";
import { defineHandler, describeFailure, type JobContext, JobFailure } from "@cytomesh/jobs";
import { IngestError } from "../errors.ts";
import { convertOptionsOf } from "../schemas/plan.ts";
import { type FileOutcome, type IngestDeps, ingestFile } from "./ingest-file.ts";
import { type Vetting, vettingOf } from "./vet-file.ts";

/** Problems listed per file at most, and characters of each; a file with more is beyond reading about. */
const maxProblems = 50;
const maxProblemLength = 1_000;

/** Problems per file in the reason why the job failed; the result lists more. */
const maxProblemsInReason = 5;

/** Bytes of a checkpoint; the control plane takes 64 KiB. */
const maxCheckpointBytes = 60_000;

/**
 * Ingest the files of a spec one after another, each an item of the job. A failing file is recorded with its reasons and the others go
 * on; the job fails at the end, saying which. A failure that may pass (network, disk) ends the attempt; the next one goes on from there.
 */
export function ingestHandler(deps: IngestDeps) {
  return defineHandler("ingest", async (context) => {
    const { spec } = context;
    const vetting = await vettingOf(deps.store, spec, context.signal);
    if (!spec.validateOnly) await deps.catalog.ensureDataset(spec.dataset);
    context.expectItems(spec.uris.length);
    context.progress({ unit: "cells", message: `${spec.uris.length} file(s)` });
    const files: IngestedFile[] = [];
    let cellsBefore = 0;
    for (const [position, uri] of spec.uris.entries()) {
      const done = earlierOutcome(context, uri);
      const file = done ?? (await oneFile(deps, context, vetting, uri, position, cellsBefore));
      files.push(file);
      if (file.outcome !== Outcome.FAILED) cellsBefore += Number(file.cells);
      context.progress({ done: cellsBefore });
    }
    const result = {
      files,
      cells: files.reduce((sum, file) => sum + (file.outcome === Outcome.COMMITTED ? file.cells : 0n), 0n),
    };
    const failed = files.filter((file) => file.outcome === Outcome.FAILED);
    if (failed.length > 0)
      throw new JobFailure("files-failed", summary(failed, files.length), { partialResult: result });
    return result;
  });
}

/** The outcome that an earlier attempt recorded for a file, if it is final. */
function earlierOutcome(context: JobContext<"ingest">, uri: string): IngestedFile | undefined {
  const item = context.items.get(uri);
  const final = item?.state === ItemState.SUCCEEDED || item?.state === ItemState.FAILED;
  return final && item.checkpoint.length > 0 ? fromBinary(IngestedFileSchema, item.checkpoint) : undefined;
}

async function oneFile(
  deps: IngestDeps,
  context: JobContext<"ingest">,
  vetting: Vetting,
  uri: string,
  position: number,
  cellsBefore: number,
): Promise<IngestedFile> {
  const { spec } = context;
  const name = uri.replace(/\/+$/, "").replace(/^.*\//, "");
  context.progress({ message: `${name} (${position + 1} of ${spec.uris.length})` });
  await context.record({ key: uri, outcome: "running" });
  try {
    const outcome = await ingestFile(deps, {
      uri,
      dataset: spec.dataset,
      options: convertOptionsOf(spec),
      vetting,
      validateOnly: spec.validateOnly,
      jobId: context.job.id,
      tag: spec.tag,
      signal: context.signal,
      onCells: (cells, total) => context.progress({ done: cellsBefore + cells, total: cellsBefore + total }),
    });
    const file = messageOf(outcome);
    await context.record({ key: uri, outcome: "succeeded", checkpoint: toBinary(IngestedFileSchema, file) });
    return file;
  } catch (error) {
    context.signal.throwIfAborted();
    const failure = describeFailure(error);
    if (failure.retryable && context.attempt < context.job.maxAttempts) throw error;
    const problems =
      error instanceof IngestError && error.problems.length > 0 ? error.problems : [failure.message];
    const shown = firstOf(problems, maxProblems).map((problem) => problem.slice(0, maxProblemLength));
    const file = create(IngestedFileSchema, { uri, outcome: Outcome.FAILED, problems: shown });
    context.log.warn({ uri, problems: shown }, "file refused");
    await context.record({
      key: uri,
      outcome: "failed",
      error: { reason: failure.reason, message: firstOf(shown, maxProblemsInReason).join("; ") },
      checkpoint: checkpointOf(file),
    });
    return file;
  }
}

/** The first so many, and how many are left out. */
function firstOf(list: readonly string[], most: number): string[] {
  return list.length > most ? [...list.slice(0, most), `and ${list.length - most} more`] : [...list];
}

/** The outcome as the next attempt reads it, with as many of the problems as fit. */
function checkpointOf(file: IngestedFile): Uint8Array {
  let bytes = toBinary(IngestedFileSchema, file);
  for (let kept = file.problems.length; bytes.length > maxCheckpointBytes && kept > 0; ) {
    kept = Math.floor(kept / 2);
    const problems = firstOf(file.problems, kept);
    bytes = toBinary(IngestedFileSchema, create(IngestedFileSchema, { ...file, problems }));
  }
  return bytes;
}

function messageOf(outcome: FileOutcome): IngestedFile {
  return create(IngestedFileSchema, {
    ...outcome,
    cells: BigInt(outcome.cells),
    features: BigInt(outcome.features),
    problems: [...outcome.problems],
    warnings: firstOf(outcome.warnings, maxProblems).map((text) => text.slice(0, maxProblemLength)),
  });
}

function summary(failed: readonly IngestedFile[], total: number): string {
  const lines = failed
    .slice(0, 10)
    .map((file) => `${file.uri}: ${firstOf(file.problems, maxProblemsInReason).join("; ")}`);
  const more = failed.length > lines.length ? `; and ${failed.length - lines.length} more` : "";
  return `${failed.length} of ${total} file(s) failed: ${lines.join(" | ")}${more}`;
}
