import { defineHandler } from "@cytomesh/jobs";
import { publishResult } from "../data-manager/results.ts";
import type { WorkerDeps } from "./deps.ts";
import { maxInlineBytes, runAnalysis } from "./run-analysis.ts";

/** Run a task and keep its result as a JSON file; a small result is in the job's row too. A repeated attempt writes the same file. */
export function analysisHandler(deps: WorkerDeps) {
  return defineHandler("analysis", async (context) => {
    const { spec, signal } = context;
    context.progress({ unit: "cells", message: spec.task });
    const analysis = await runAnalysis(deps, spec, {
      signal,
      onCells: (done, total) => context.progress({ done, total }),
    });
    signal.throwIfAborted();
    context.progress({ message: "writing the result" });
    const resultUri = await publishResult(deps, context.job.id, spec.outputUri, analysis.json, signal);
    const inline = analysis.structBytes < maxInlineBytes.job;
    return { resultUri, ...(inline ? { result: analysis.parse() } : {}) };
  });
}
