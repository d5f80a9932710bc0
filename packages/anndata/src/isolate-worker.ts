import { parentPort, workerData } from "node:worker_threads";
import { AnnDataError } from "./errors.ts";
import type { IsolatedReport, WorkerAnswer, WorkerTask } from "./isolate.ts";
import { openAnnData } from "./open.ts";
import type { AnnData, Matrix } from "./types.ts";
import { validateAnnData } from "./validation/validate.ts";

/** Runs one task of `runIsolated` and answers with one message. */
async function main(task: WorkerTask): Promise<WorkerAnswer> {
  let file: AnnData | undefined;
  try {
    file = await openAnnData(task.path, { maxBytes: task.maxBytes, reuseRows: true, group: task.group });
    const problems =
      task.task === "validate" ? validateAnnData(file, task.profile, { entries: task.entries }) : [];
    return { ok: true, report: { ...describe(file), problems } };
  } catch (error) {
    if (error instanceof AnnDataError) return { ok: false, tag: error.tag, message: error.message };
    return { ok: false, tag: "reader-crashed", message: `${task.path}: the reader failed: ${String(error)}` };
  } finally {
    file?.close();
  }
}

function describe(file: AnnData): Omit<IsolatedReport, "problems"> {
  return {
    nObs: file.nObs,
    nVar: file.nVar,
    x: readable(() => describeMatrix(file.x)),
    hasRaw: readable(() => file.raw !== undefined) ?? false,
    obsColumns: [...file.obs.columnNames],
    varColumns: [...file.var.columnNames],
    layers: [...file.layers.keys()],
    obsm: [...file.obsmKeys],
  };
}

function describeMatrix(x: Matrix | undefined): IsolatedReport["x"] {
  return x && { format: x.format, dtype: x.dtype, shape: x.shape, nnz: x.nnz };
}

/** Damage in X is listed by "validate"; it must not hide the rest of the report. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof AnnDataError) return undefined;
    throw error;
  }
}

parentPort?.postMessage(await main(workerData as WorkerTask));
