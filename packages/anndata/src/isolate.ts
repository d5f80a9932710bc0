import { AnnDataError } from "./errors.ts";
import type { ValidationProblem, ValidationProfile } from "./types.ts";

export interface IsolatedReport {
  nObs: number;
  nVar: number;
  x:
    | { format: "csr" | "csc" | "dense"; dtype: string; shape: [number, number]; nnz: number | undefined }
    | undefined;
  hasRaw: boolean;
  obsColumns: string[];
  varColumns: string[];
  layers: string[];
  obsm: string[];
  /** Filled by task "validate". */
  problems: ValidationProblem[];
}

export interface IsolateOptions {
  /** Wall-clock limit, default 60,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
  profile?: ValidationProfile;
  maxBytes?: number;
}

/** Vets a file in a worker thread of its own that is ended on timeout; rejects with AnnDataError. */
export async function runIsolated(
  path: string,
  task: "inspect" | "validate",
  options: IsolateOptions = {},
): Promise<IsolatedReport> {
  throw new AnnDataError(
    "unsupported",
    `runIsolated is being written (${path}, ${task}, ${options.timeoutMs})`,
  );
}
