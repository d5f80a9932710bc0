import { type CurriculumManifest, type CurriculumRequest, prepareCurriculum } from "@cytomesh/omics-store";
import type { TaskContext } from "@cytomesh/service-kit/task";

/** Input of the task. */
export interface PrepareInput {
  readonly ingestDirs: string[];
  readonly outDir: string;
  readonly request: CurriculumRequest;
}

/** Rank and cut, in a worker thread: fingerprints of millions of ids keep a core busy for seconds. */
export function prepare(input: PrepareInput, context: TaskContext): Promise<CurriculumManifest> {
  return prepareCurriculum({ ...input, signal: context.signal });
}
