import type { Client, ServiceImpl } from "@connectrpc/connect";
import { type IngestService, Severity } from "@cytomesh/contracts/ingest/v1/ingest_service";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import type { IngestDeps } from "../services/ingest-file.ts";
import { inspectFile } from "../services/inspect-file.ts";

/** IngestService: message in, domain, message out. */
export function ingestServiceImpl(
  deps: IngestDeps & { jobs: Client<typeof JobService> },
): ServiceImpl<typeof IngestService> {
  return {
    async inspectFile(request, context) {
      const report = await inspectFile(deps, request, context.signal);
      return {
        ...report,
        cells: BigInt(report.cells),
        features: BigInt(report.features),
        matrices: report.matrices.map((matrix) => ({
          ...matrix,
          rows: BigInt(matrix.rows),
          columns: BigInt(matrix.columns),
          nnz: BigInt(matrix.nnz),
        })),
        findings: report.findings.map((finding) => ({
          ...finding,
          severity: finding.severity === "error" ? Severity.ERROR : Severity.WARNING,
          count: BigInt(finding.count ?? 0),
        })),
      };
    },
    async ingestFiles(request) {
      const { job } = await deps.jobs.createJob({
        idempotencyKey: request.idempotencyKey,
        ...(request.spec === undefined ? {} : { spec: { spec: { case: "ingest", value: request.spec } } }),
      });
      return job === undefined ? {} : { job };
    },
  };
}
