import { z } from "zod";
import { notFound, throwViolations } from "../../errors.ts";
import type { ItemRecord, ItemStateName, JobRecord, JobStateName } from "../../schemas/jobs.ts";
import { decodePageToken, encodePageToken, pageSize } from "../../schemas/page-token.ts";
import type { Page } from "./jobs.ts";
import { kinds } from "./kinds.ts";
import type { JobContext } from "./settings.ts";

const jobPosition = z.tuple([z.iso.datetime(), z.uuid()]);
const itemPosition = z.tuple([z.string().max(4_096)]);

export async function getJob(context: JobContext, id: string): Promise<JobRecord> {
  const job = await context.store.get(id);
  if (job === undefined) throw notFound("job", id);
  return job;
}

export async function listJobs(
  context: JobContext,
  request: {
    pageSize: number;
    pageToken: string;
    states: readonly JobStateName[];
    kinds: readonly string[];
  },
): Promise<Page<JobRecord>> {
  const limit = pageSize(request.pageSize, 50, 500);
  const unknown = request.kinds.findIndex((kind) => !kinds.includes(kind));
  if (unknown >= 0)
    throwViolations("the request", [
      { field: `kinds[${unknown}]`, description: `expected one of ${kinds.join(", ")}` },
    ]);
  const position = decodePageToken(request.pageToken, jobPosition);
  const before = position && { createdAt: new Date(position[0]), id: position[1] };
  const found = await context.store.list({
    limit: limit + 1,
    before,
    states: request.states,
    kinds: request.kinds,
  });
  const entries = found.slice(0, limit);
  const last = entries.at(-1);
  const more = found.length > limit && last !== undefined;
  return { entries, nextPageToken: more ? encodePageToken([last.createdAt.toISOString(), last.id]) : "" };
}

export async function listJobItems(
  context: JobContext,
  request: { jobId: string; pageSize: number; pageToken: string; states: readonly ItemStateName[] },
): Promise<Page<ItemRecord>> {
  const limit = pageSize(request.pageSize, 200, 1_000);
  const afterKey = decodePageToken(request.pageToken, itemPosition)?.[0];
  const job = await getJob(context, request.jobId);
  const found = await context.store.listItems(job.id, { limit: limit + 1, afterKey, states: request.states });
  const entries = found.slice(0, limit);
  const last = entries.at(-1);
  const more = found.length > limit && last !== undefined;
  return { entries, nextPageToken: more ? encodePageToken([last.key]) : "" };
}
