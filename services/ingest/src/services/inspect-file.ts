import { runIsolated, type ValidationProblem } from "@cytomesh/anndata";
import { withReadableSource } from "../data-manager/source-files.ts";
import type { ConvertOptions } from "../schemas/plan.ts";
import type { IngestDeps } from "./ingest-file.ts";
import type { FileReport } from "./inspect.ts";
import { vetFile, vettingOf } from "./vet-file.ts";

const defaults: ConvertOptions = {
  obsMapping: {},
  featureIdColumn: "",
  matrix: "auto",
  layer: "",
  allowNonCounts: false,
  allFeatureTypes: false,
};

/** Describe a file, say everything that would keep it out of the warehouse with default options, and all that a profile finds. */
export async function inspectFile(
  deps: Pick<IngestDeps, "store" | "tempDir" | "pool" | "readerTimeoutMs">,
  request: { uri: string; profile: string; geneListUris: readonly string[] },
  signal: AbortSignal,
): Promise<FileReport & { problems: string[]; findings: readonly ValidationProblem[] }> {
  const vetting = await vettingOf(deps.store, { ...request, validateOnly: true }, signal);
  return withReadableSource(deps, request.uri, signal, async (path) => {
    await runIsolated(path, "inspect", { timeoutMs: deps.readerTimeoutMs, signal });
    const report = await deps.pool.run<FileReport>("describe", { path }, { signal });
    const { problems, findings } = await vetFile(deps, path, { options: defaults, vetting, signal });
    return { ...report, problems: [...problems], findings };
  });
}
