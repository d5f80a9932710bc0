import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import type { TrainingService } from "@cytomesh/contracts/training/v1/training_service";
import type { TrainingDeps } from "../services/deps.ts";
import { describeModel } from "../services/describe-model.ts";

/** TrainingService: message in, domain, message out. */
export function trainingServiceImpl(
  deps: TrainingDeps & { jobs: Client<typeof JobService> },
): ServiceImpl<typeof TrainingService> {
  return {
    async trainPca(request) {
      const { job } = await deps.jobs.createJob({
        idempotencyKey: request.idempotencyKey,
        ...(request.spec === undefined ? {} : { spec: { spec: { case: "trainPca", value: request.spec } } }),
      });
      return job === undefined ? {} : { job };
    },
    async describeModel(request, context) {
      const { size, ...description } = await describeModel(deps, request.model, context.signal);
      return { ...description, size: BigInt(size) };
    },
  };
}
