import type { JsonObject } from "@bufbuild/protobuf";
import type { TaskContext } from "@cytomesh/service-kit/task";
import type { Task } from "../schemas/tasks.ts";
import { type AnalysisContext, tooLarge } from "./answer.ts";
import { geneExpression } from "./gene-expression.ts";
import { getEmbedding } from "./get-embedding.ts";
import { listGenes } from "./list-genes.ts";
import { createOpenFiles, type OpenFile } from "./open-files.ts";
import { structBytesOf } from "./struct-bytes.ts";

/** Input of {@link analyse}; it crosses threads. */
export interface AnalysisInput {
  readonly path: string;
  /** Changes whenever the file's content does. */
  readonly version: string;
  readonly task: Task;
  /** Refuse a larger result, in bytes of the encoded Struct. */
  readonly refuseAboveBytes?: number;
}

/** Output of {@link analyse}. */
export interface AnalysisOutput {
  /** UTF-8 JSON without NaN and infinities. */
  readonly json: Uint8Array;
  readonly structBytes: number;
}

/** Kept open per thread: 4 files of up to 512 MiB on disk, of which only index and statistics are in memory. */
const openFiles = createOpenFiles({ maxFiles: 4, maxFileBytes: 512 * 1024 * 1024 });

/** Run a task over a file. Runs in a worker thread. */
export async function analyse(input: AnalysisInput, context: TaskContext): Promise<AnalysisOutput> {
  const { refuseAboveBytes = Number.POSITIVE_INFINITY } = input;
  const result = await openFiles.use(input.path, input.version, (file) =>
    runTask(file, input.task, { ...context, maxStructBytes: refuseAboveBytes }),
  );
  const structBytes = structBytesOf(result);
  if (structBytes > refuseAboveBytes) throw tooLarge(structBytes, refuseAboveBytes);
  return { json: new TextEncoder().encode(JSON.stringify(result)), structBytes };
}

function runTask(file: OpenFile, task: Task, context: AnalysisContext): Promise<JsonObject> {
  switch (task.name) {
    case "ListGenes":
      return listGenes(file, task.parameters, context);
    case "GeneExpression":
      return geneExpression(file, task.parameters, context);
    case "GetEmbedding":
      return getEmbedding(file, task.parameters, context);
  }
}
