import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ImagingService } from "@cytomesh/contracts/imaging/v1/imaging_service";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import type { JobSpec } from "@cytomesh/contracts/jobs/v1/specs";
import type { ImagingDeps } from "../services/deps.ts";
import { inspectField } from "../services/inspect-field.ts";

/** ImagingService: message in, domain, message out. */
export function imagingServiceImpl(
  deps: ImagingDeps & { jobs: Client<typeof JobService> },
): ServiceImpl<typeof ImagingService> {
  const create = async (idempotencyKey: string, spec: JobSpec["spec"]) => {
    const { job } = await deps.jobs.createJob({
      idempotencyKey,
      ...(spec.value === undefined ? {} : { spec: { spec } }),
    });
    return job === undefined ? {} : { job };
  };
  return {
    inspectField: ({ uri, channelPattern }, context) =>
      inspectField(deps, uri, channelPattern, context.signal),
    convertFields: ({ idempotencyKey, spec: value }) =>
      create(idempotencyKey, { case: "convertFields", value } as JobSpec["spec"]),
    stage: ({ idempotencyKey, spec: value }) =>
      create(idempotencyKey, { case: "stage", value } as JobSpec["spec"]),
    formatMetadata: ({ idempotencyKey, spec: value }) =>
      create(idempotencyKey, { case: "formatMetadata", value } as JobSpec["spec"]),
  };
}
