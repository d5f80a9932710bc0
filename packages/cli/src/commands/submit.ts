import { toJson } from "@bufbuild/protobuf";
import { JobSchema } from "@cytomesh/contracts/jobs/v1/job";
import { withMesh } from "../client.ts";
import { type SpecInit, submitJob } from "../submit-job.ts";
import { printable } from "../terminal/text.ts";

/** What `jobOptions` give. */
interface SubmitFlags {
  api: string | undefined;
  key: string | undefined;
  new: boolean;
  detach: boolean;
  json: boolean;
}

/**
 * Submits a job as its verb was asked to: watched or detached, told in words or as JSON.
 *
 * @param more lines to print of the result when the job was watched to its end
 */
export async function submit(
  flags: SubmitFlags,
  title: string,
  spec: SpecInit,
  signal: AbortSignal,
  more: (result: Record<string, unknown>) => string[] = () => [],
): Promise<void> {
  await withMesh(flags.api, async (mesh) => {
    const { key, new: fresh, detach, json } = flags;
    const job = await submitJob(mesh, spec, { key, new: fresh, detach, quiet: json, title, signal });
    if (json) process.stdout.write(`${JSON.stringify(toJson(JobSchema, job))}\n`);
    else if (!detach && job.result?.result.value !== undefined)
      for (const line of more(job.result.result.value as unknown as Record<string, unknown>))
        process.stdout.write(`${printable(line)}\n`);
  });
}
