import type { JsonObject } from "@bufbuild/protobuf";
import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import type { ExtractDeps } from "../services/deps.ts";
import { countMatching, getCells, listValues } from "../services/queries.ts";

/** ExtractService: message in, domain, message out. */
export function extractServiceImpl(
  deps: ExtractDeps & { jobs: Client<typeof JobService> },
): ServiceImpl<typeof ExtractService> {
  return {
    async countCells(request, context) {
      return { cells: BigInt(await countMatching(deps, request.dataset, request.filters, context.signal)) };
    },
    async listValues(request, context) {
      const values = await listValues(deps, request, context.signal);
      return { values: values.map(({ value, cells }) => ({ value: String(value), cells: BigInt(cells) })) };
    },
    async getCells(request, context) {
      const cellIds = request.cellIds.map(Number);
      const cells = await getCells(deps, { ...request, cellIds }, context.signal);
      return { cells: cells.map(({ cellId, obs }) => ({ cellId: BigInt(cellId), obs: obs as JsonObject })) };
    },
    async prepareCurriculum(request) {
      const { job } = await deps.jobs.createJob({
        idempotencyKey: request.idempotencyKey,
        ...(request.spec === undefined ? {} : { spec: { spec: { case: "prepare", value: request.spec } } }),
      });
      return job === undefined ? {} : { job };
    },
    async extractBins(request) {
      const { job } = await deps.jobs.createJob({
        idempotencyKey: request.idempotencyKey,
        ...(request.spec === undefined ? {} : { spec: { spec: { case: "extract", value: request.spec } } }),
      });
      return job === undefined ? {} : { job };
    },
  };
}
