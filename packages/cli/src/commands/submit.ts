import { toJson } from "@bufbuild/protobuf";
import { JobSchema } from "@cytomesh/contracts/jobs/v1/job";
import type { JobResult } from "@cytomesh/contracts/jobs/v1/specs";
import { type MeshClient, withMesh } from "../client.ts";
import { type SpecInit, submitJob } from "../submit-job.ts";
import { printable } from "../terminal/text.ts";

/** What `jobOptions` give. */
interface SubmitFlags {
  api: string | undefined;
  key: string | undefined;
  new: boolean;
  detach: boolean;
  after: string[];
  json: boolean;
}

/**
 * Submits a job as its verb was asked to: watched or detached, told in words or as JSON.
 *
 * @param more lines to print of the result when the job was watched to its end, also of what a failed job leaves
 */
export async function submit(
  flags: SubmitFlags,
  title: string,
  spec: SpecInit,
  signal: AbortSignal,
  more: (result: JobResult["result"], mesh: MeshClient) => Promise<string[]> = async () => [],
): Promise<void> {
  await withMesh(flags.api, async (mesh) => {
    const { key, new: fresh, detach, after, json } = flags;
    await submitJob(mesh, spec, {
      key,
      new: fresh,
      detach,
      after,
      quiet: json,
      title,
      signal,
      async onJob(job) {
        if (json) process.stdout.write(`${JSON.stringify(toJson(JobSchema, job))}\n`);
        else if (!detach && job.result?.result.value !== undefined)
          for (const line of await more(job.result.result, mesh))
            process.stdout.write(`${printable(line)}\n`);
      },
    });
  });
}
