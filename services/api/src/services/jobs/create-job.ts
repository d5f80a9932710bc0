import { type JobSpec, JobSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import type { JobTransaction } from "../../data-manager/job-store.ts";
import { ApiError, notFound, throwViolations } from "../../errors.ts";
import { createChecks } from "../../schemas/checks.ts";
import type { JobRecord } from "../../schemas/jobs.ts";
import { canonicalJson, differingFields } from "../../schemas/json.ts";
import type { CreateJob } from "./jobs.ts";
import { kindOf } from "./kinds.ts";
import type { JobContext } from "./settings.ts";
import { checkSpec, checkStorable } from "./spec-checks.ts";
import { uuidV7 } from "./uuid.ts";

const MAX_KEY = 256;
const MAX_AFTER = 1_000;
const MAX_ATTEMPTS = 100;

function check(request: CreateJob): JobSpec {
  const checks = createChecks();
  checkSpec(checks, request.spec);
  if (request.spec && checks.violations.length === 0) checkStorable(checks, request.spec);
  checks.optionalText("idempotency_key", request.idempotencyKey, MAX_KEY);
  checks.range("max_attempts", request.maxAttempts, 0, MAX_ATTEMPTS);
  if (request.after.length > MAX_AFTER)
    checks.add("after", `expected at most ${MAX_AFTER} jobs, found ${request.after.length}`);
  throwViolations("the job", checks.violations);
  return request.spec!;
}

/** Creates a job, or finds the one of an equal idempotency key. Errors: see `JobService.CreateJob`. */
export async function createJob(
  context: JobContext,
  request: CreateJob,
): Promise<{ job: JobRecord; created: boolean }> {
  const spec = check(request);
  const after = [...new Set(request.after)];
  const idempotencyKey = request.idempotencyKey || undefined;
  return await context.store.transaction(async (tx) => {
    const known = idempotencyKey && (await tx.findByKey(idempotencyKey));
    if (known) return { job: sameSpec(known, spec), created: false };
    const ready = await parentsSucceeded(tx, after);
    const now = context.clock();
    const job = await tx.insert({
      id: uuidV7(now, context.random),
      ...kindOf(spec.spec.case!),
      state: ready ? "queued" : "waiting",
      spec,
      maxAttempts: request.maxAttempts || context.settings.defaultMaxAttempts,
      idempotencyKey,
      after,
      createdAt: now,
    });
    if (job === undefined) {
      // Another request with this key committed between the look and the insert.
      const other = await tx.findByKey(idempotencyKey!);
      if (other) return { job: sameSpec(other, spec), created: false };
      throw new ApiError(
        "internal",
        `the idempotency key ${JSON.stringify(idempotencyKey)} is taken by no job`,
      );
    }
    if (ready) await tx.dispatch(job, now);
    return { job, created: true };
  });
}

function sameSpec(job: JobRecord, spec: JobSpec): JobRecord {
  const different = differingFields(
    canonicalJson(JobSpecSchema, job.spec),
    canonicalJson(JobSpecSchema, spec),
  );
  if (different.length === 0) return job;
  throw new ApiError(
    "already_exists",
    `the idempotency key ${JSON.stringify(job.idempotencyKey)} made job ${job.id} with another spec; ` +
      "use another key for other work",
  );
}

/** Whether all of them have succeeded; their states stay so until the transaction ends. */
async function parentsSucceeded(tx: JobTransaction, after: readonly string[]): Promise<boolean> {
  const parents = await tx.holdStates(after);
  const found = new Map(parents.map((parent) => [parent.id, parent]));
  const missing = after.find((id) => !found.has(id));
  if (missing !== undefined) throw notFound("job", missing);
  const lost = parents.find((parent) => parent.state === "failed" || parent.state === "cancelled");
  if (lost) {
    throw new ApiError(
      "parent_not_successful",
      `the job would wait for ${lost.kind} job ${lost.id}, which has ended as ${lost.state}; create that one again first`,
    );
  }
  return parents.every((parent) => parent.state === "succeeded");
}
