import type { JobResult, JobSpec } from "@cytomesh/contracts/jobs/v1/specs";

/** Cases of the oneof in JobSpec and JobResult. */
export type SpecCase = NonNullable<JobSpec["spec"]["case"]>;

/** Kind and service of each case. Work is published to `jobs.<service>.<kind>`. */
const KINDS: Record<SpecCase, { kind: string; service: string }> = {
  ingest: { kind: "ingest", service: "ingest" },
  prepare: { kind: "prepare", service: "extract" },
  extract: { kind: "extract", service: "extract" },
  trainPca: { kind: "train_pca", service: "training" },
  embed: { kind: "embed", service: "inference" },
  buildIndex: { kind: "build_index", service: "inference" },
  convertFields: { kind: "convert_fields", service: "imaging" },
  stage: { kind: "stage", service: "imaging" },
  formatMetadata: { kind: "format_metadata", service: "imaging" },
  analysis: { kind: "analysis", service: "worker" },
};

export const kindOf = (spec: SpecCase): { kind: string; service: string } => KINDS[spec];

/** Every kind, for the check of filters. */
export const kinds: readonly string[] = Object.values(KINDS).map(({ kind }) => kind);

/** Whether the result answers a job of this kind. */
export function answersKind(result: JobResult, kind: string): boolean {
  return result.result.case !== undefined && KINDS[result.result.case].kind === kind;
}
