import type { ServiceImpl } from "@connectrpc/connect";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { itemStateName, jobStateName } from "../schemas/job-states.ts";
import type { Jobs } from "../services/jobs/jobs.ts";
import { toJob, toJobItem } from "./job-messages.ts";
import { knownStates } from "./known-states.ts";

export interface JobServiceDeps {
  readonly jobs: Jobs;
}

/** JobService of `jobs/v1/job_service.proto`. */
export function createJobServiceImpl(deps: JobServiceDeps): ServiceImpl<typeof JobService> {
  const { jobs } = deps;
  return {
    async createJob(request) {
      const { job, created } = await jobs.create(request);
      return { job: toJob(job), created };
    },
    async getJob(request) {
      return { job: toJob(await jobs.get(request.id)) };
    },
    async listJobs(request) {
      const states = knownStates(request.states, jobStateName);
      const page = await jobs.list({ ...request, states });
      return { jobs: page.entries.map(toJob), nextPageToken: page.nextPageToken };
    },
    async listJobItems(request) {
      const states = knownStates(request.states, itemStateName);
      const page = await jobs.listItems({ ...request, states });
      const items = page.entries.map((item) => toJobItem({ ...item, checkpoint: new Uint8Array() }));
      return { items, nextPageToken: page.nextPageToken };
    },
    async *watchJob(request, context) {
      for await (const job of jobs.watch(request.id, context.signal)) yield { job: toJob(job) };
    },
    async cancelJob(request) {
      return { job: toJob(await jobs.cancel(request.id)) };
    },
  };
}
