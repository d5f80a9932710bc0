import type { JsonObject } from "@bufbuild/protobuf";
import type { AnalysisSpec } from "@cytomesh/contracts/jobs/v1/specs";
import { taskOf } from "../schemas/tasks.ts";
import type { AnalysisInput, AnalysisOutput } from "./analyse.ts";
import type { WorkerDeps } from "./deps.ts";

/** Largest result inside a message, in bytes of the encoded Struct: 4 MiB in an answer, 256 KiB in a job's row. */
export const maxInlineBytes = { message: 4 * 1024 * 1024, job: 256 * 1024 } as const;

/** A result, as bytes until somebody needs it as an object. */
export interface Analysis {
  /** UTF-8 JSON. */
  readonly json: Uint8Array;
  /** Size as a `google.protobuf.Struct`, in bytes. */
  readonly structBytes: number;
  parse(): JsonObject;
}

/** How {@link runAnalysis} is called. */
export interface RunOptions {
  readonly signal: AbortSignal;
  /** Refuse a larger result, in bytes of the encoded Struct. */
  readonly refuseAboveBytes?: number;
  onCells?(cells: number, total: number): void;
}

/**
 * Run the task of a spec over its file, in a worker thread.
 *
 * @throws AnalysisError, TaskError (the same from the thread), ObjectStoreError `object-not-found`, AnnDataError
 */
export async function runAnalysis(
  deps: WorkerDeps,
  spec: Pick<AnalysisSpec, "uri" | "task" | "parameters" | "outputUri">,
  options: RunOptions,
): Promise<Analysis> {
  const task = taskOf(spec);
  const { signal, onCells } = options;
  return deps.files.use(spec.uri, signal, async ({ path, version }) => {
    const input: AnalysisInput = {
      path,
      version,
      task,
      ...(options.refuseAboveBytes === undefined ? {} : { refuseAboveBytes: options.refuseAboveBytes }),
    };
    const output = await deps.pool.run<AnalysisOutput>("analyse", input, {
      signal,
      ...(onCells === undefined
        ? {}
        : { onProgress: (at: { cells: number; total: number }) => onCells(at.cells, at.total) }),
    });
    return { ...output, parse: () => JSON.parse(new TextDecoder().decode(output.json)) as JsonObject };
  });
}
