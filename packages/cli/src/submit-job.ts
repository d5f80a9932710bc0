import { createHash, randomUUID } from "node:crypto";
import { create, type JsonValue, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import type { Job } from "@cytomesh/contracts/jobs/v1/job";
import { JobSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import type { MeshClient } from "./client.ts";
import { hasEnded, stateName, watchJob } from "./watch-job.ts";

/** What to run. */
export type SpecInit = NonNullable<MessageInitShape<typeof JobSpecSchema>["spec"]>;

/** How to run it. */
export interface SubmitOptions {
  readonly key?: string | undefined;
  readonly new?: boolean;
  readonly detach?: boolean;
  /** Print nothing on standard output; the caller does. */
  readonly quiet?: boolean;
  readonly after?: readonly string[];
  /** Told of the job that is returned, and of one that did not succeed before that is thrown. */
  readonly onJob?: (job: Job) => Promise<void>;
  readonly title: string;
  readonly signal: AbortSignal;
}

/**
 * Create a job and follow it. Without a key of its own a request is its own key: running the same command twice finds the same job, so a
 * workflow engine may repeat it. A job that failed is not repeated; `--new` makes another.
 */
export async function submitJob(mesh: MeshClient, spec: SpecInit, options: SubmitOptions): Promise<Job> {
  const message = create(JobSpecSchema, { spec });
  const digest = createHash("sha256")
    .update(canonicalJson(toJson(JobSpecSchema, message)))
    .digest("hex");
  const { job, created } = await mesh.jobs.createJob({
    spec: message,
    idempotencyKey: options.new ? `cli-new-${randomUUID()}` : (options.key ?? `cli-${digest.slice(0, 32)}`),
    after: [...(options.after ?? [])],
  });
  if (job === undefined) throw new Error("the control plane answered without a job");
  if (options.detach) {
    if (!options.quiet) process.stdout.write(`${job.id}\n`);
    await options.onJob?.(job);
    return job;
  }
  if (!created)
    process.stderr.write(
      `job ${job.id} was already there for this request${hasEnded(job) ? ` (${stateName(job)}); --new makes another` : ""}\n`,
    );
  return watchJob(mesh, job.id, options.title, options.signal, options.onJob);
}

/** JSON that is the same for equal values, in whatever order their fields were given. */
function canonicalJson(value: JsonValue): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}
