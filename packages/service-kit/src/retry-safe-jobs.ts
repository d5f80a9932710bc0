import { randomUUID } from "node:crypto";
import type { Client } from "@connectrpc/connect";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";

/**
 * A jobs client whose `createJob` is safe to try again. A call is retried when the control plane goes away, and it may go away after it has
 * created the job and before it has said so; without a key the second try would make a second job. Callers that give none get a random one.
 */
export function retrySafeJobs(client: Client<typeof JobService>): Client<typeof JobService> {
  return {
    ...client,
    createJob: (request, options) =>
      client.createJob(
        { ...request, idempotencyKey: request.idempotencyKey || `once-${randomUUID()}` },
        options,
      ),
  };
}
