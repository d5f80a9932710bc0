import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ImagingService } from "@cytomesh/contracts/imaging/v1/imaging_service";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import type { ImagingDeps } from "../services/deps.ts";
import { inspectField } from "../services/inspect-field.ts";

/** ImagingService: message in, domain, message out. */
export function imagingServiceImpl(
  deps: ImagingDeps & { jobs: Client<typeof JobService> },
): ServiceImpl<typeof ImagingService> {
  return {
    inspectField: (request, context) => inspectField(deps, request.uri, context.signal),
    async convertFields(request) {
      const { job } = await deps.jobs.createJob({
        idempotencyKey: request.idempotencyKey,
        ...(request.spec === undefined
          ? {}
          : { spec: { spec: { case: "convertFields", value: request.spec } } }),
      });
      return job === undefined ? {} : { job };
    },
  };
}
