import { create } from "@bufbuild/protobuf";
import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { type AnalysisSpec, AnalysisSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import type { AnalysisService } from "@cytomesh/contracts/worker/v1/analysis_service";
import { taskOf } from "../schemas/tasks.ts";
import type { WorkerDeps } from "../services/deps.ts";
import { maxInlineBytes, runAnalysis } from "../services/run-analysis.ts";

/** AnalysisService: message in, domain, message out. */
export function analysisServiceImpl(
  deps: WorkerDeps & { jobs: Client<typeof JobService> },
): ServiceImpl<typeof AnalysisService> {
  return {
    async runTask(request, context) {
      const analysis = await runAnalysis(deps, required(request.spec), {
        signal: context.signal,
        refuseAboveBytes: maxInlineBytes.message,
      });
      return { result: analysis.parse() };
    },
    async submitTask(request) {
      const value = required(request.spec);
      // Wrong parameters are told now, not when the job has failed.
      taskOf(value);
      const { job } = await deps.jobs.createJob({
        idempotencyKey: request.idempotencyKey,
        spec: { spec: { case: "analysis", value } },
      });
      return job === undefined ? {} : { job };
    },
  };
}

/** An absent spec is an empty one, whose task is then found missing. */
function required(spec: AnalysisSpec | undefined): AnalysisSpec {
  return spec ?? create(AnalysisSpecSchema);
}
