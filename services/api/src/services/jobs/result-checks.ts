import { toJson } from "@bufbuild/protobuf";
import { type JobResult, JobResultSchema } from "@cytomesh/contracts/jobs/v1/specs";
import type { Checks } from "../../schemas/checks.ts";

const MAX_BYTES = 32 * 1024 * 1024;

/** A result must be storable and hold finite numbers only. */
export function checkResult(checks: Checks, field: string, result: JobResult): void {
  if (result.result.case === "trainPca") {
    for (const [i, ratio] of result.result.value.explainedVarianceRatio.entries()) {
      if (!Number.isFinite(ratio))
        checks.add(
          `${field}.train_pca.explained_variance_ratio[${i}]`,
          `expected a finite number, found ${ratio}`,
        );
    }
  }
  try {
    const { length } = JSON.stringify(toJson(JobResultSchema, result));
    if (length > MAX_BYTES)
      checks.add(field, `expected at most ${MAX_BYTES} bytes of JSON, found ${length}; pass a URI instead`);
  } catch (error) {
    checks.add(field, `cannot be written as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
