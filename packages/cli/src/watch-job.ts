import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Job, JobState } from "@cytomesh/contracts/jobs/v1/job";
import { IngestedFile_Outcome, type IngestResult } from "@cytomesh/contracts/jobs/v1/specs";
import { isTransient } from "@cytomesh/rpc";
import type { MeshClient } from "./client.ts";
import { CliError } from "./errors.ts";
import { startProgress } from "./terminal/progress.ts";
import { formatCount, formatSeconds, nameOf, printable } from "./terminal/text.ts";

const final: ReadonlySet<JobState> = new Set([JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED]);

/** Whether a job has ended. */
export function hasEnded(job: Job): boolean {
  return final.has(job.state);
}

/** State of a job as people write it. */
export function stateName(job: Job): string {
  return nameOf(JobState, job.state);
}

/** Follow a job to its end, across restarts of the control plane. */
export async function followJob(
  mesh: MeshClient,
  id: string,
  onChange: (job: Job) => void,
  signal: AbortSignal,
): Promise<Job> {
  for (let failures = 0; ; ) {
    try {
      for await (const { job } of mesh.jobs.watchJob({ id }, { signal })) {
        if (job === undefined) continue;
        failures = 0;
        onChange(job);
        if (hasEnded(job)) return job;
      }
    } catch (error) {
      const lost = error instanceof ConnectError && (isTransient(error) || error.code === Code.Internal);
      failures += 1;
      if (!lost || signal.aborted || failures > 60) throw error;
    }
    await sleep(Math.min(5_000, 250 * 2 ** Math.min(failures, 5)), undefined, { signal });
  }
}

/**
 * Show a job until it ends.
 *
 * @param onEnded told of the ended job before this returns or throws: a failed job may have left a result
 * @throws CliError `job-failed` or `job-cancelled` when it did not succeed.
 */
export async function watchJob(
  mesh: MeshClient,
  id: string,
  title: string,
  signal: AbortSignal,
  onEnded: (job: Job) => Promise<void> = async () => undefined,
): Promise<Job> {
  const began = Date.now();
  const line = startProgress(title);
  let job: Job;
  try {
    job = await followJob(mesh, id, (now) => line.update(progressOf(now)), signal);
  } catch (error) {
    line.finish(`${title}  lost sight of job ${id}`);
    throw error;
  }
  const took = formatSeconds(Date.now() - began);
  if (job.state === JobState.SUCCEEDED) {
    line.finish(`✔ ${title}  ${summaryOf(job)}  ${took}`);
    await onEnded(job);
    return job;
  }
  line.finish(`✖ ${title}  ${stateName(job)}  ${took}`);
  await onEnded(job);
  throw new CliError(
    job.state === JobState.CANCELLED ? "job-cancelled" : "job-failed",
    job.state === JobState.CANCELLED
      ? `job ${id} was cancelled`
      : `job ${id} failed (${job.error?.reason ?? "unknown"}): ${reasons(job.error?.message ?? "no reason given")}`,
  );
}

/** Reasons of several files, which a job joins by bars, a line each. */
function reasons(message: string): string {
  return message.split(" | ").map(printable).join("\n  ");
}

function progressOf(job: Job) {
  const { progress } = job;
  const waiting: Partial<Record<JobState, string>> = {
    [JobState.WAITING]: "waiting for the jobs before it",
    [JobState.QUEUED]: "queued",
    [JobState.RETRYING]: `attempt ${job.attempt} failed, trying again: ${job.error?.message ?? ""}`,
  };
  return {
    done: Number(progress?.done ?? 0n),
    total: Number(progress?.total ?? 0n),
    unit: progress?.unit ?? "",
    message: waiting[job.state] ?? progress?.message ?? "",
  };
}

/** Cells that came in, and why files brought none. */
function ingestSummary({ cells, files }: IngestResult): string {
  const count = (outcome: IngestedFile_Outcome) => files.filter((file) => file.outcome === outcome).length;
  const [present, valid] = [count(IngestedFile_Outcome.ALREADY_PRESENT), count(IngestedFile_Outcome.VALID)];
  return [
    `${formatCount(cells)} cells of ${files.length} file(s)`,
    ...(present > 0 ? [`${present} already there`] : []),
    ...(valid > 0 ? [`${valid} valid, nothing written`] : []),
  ].join(", ");
}

/** One line about what a job came to. */
export function summaryOf(job: Job): string {
  const result = job.result?.result;
  switch (result?.case) {
    case "ingest":
      return ingestSummary(result.value);
    case "prepare":
      return `${formatCount(result.value.cells)} cells × ${formatCount(result.value.features)} genes in ${result.value.bins} bins`;
    case "extract":
      return `${result.value.binsWritten} bins written, ${result.value.binsPresent} already there`;
    case "trainPca":
      return `${result.value.nComponents} components from ${formatCount(result.value.cells)} cells`;
    case "embed":
      return `${formatCount(result.value.cells)} vectors of length ${result.value.dimension}`;
    case "buildIndex":
      return `${formatCount(result.value.cells)} cells, ${result.value.kind}`;
    case "convertFields":
      return `${formatCount(result.value.crops)} crops in ${result.value.shards} shard(s)`;
    case "stage":
      return `${formatCount(result.value.files)} files in ${result.value.shards} shard(s)`;
    case "formatMetadata":
      return `${formatCount(result.value.rows)} rows`;
    default:
      return "done";
  }
}
