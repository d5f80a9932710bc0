import { runIsolated } from "@cytomesh/anndata";
import { withLocalFile } from "@cytomesh/object-store";
import { IngestError } from "../errors.ts";
import type { ConvertOptions } from "../schemas/plan.ts";
import type { IngestDeps } from "./ingest-file.ts";
import { vetFile } from "./ingest-file.ts";
import type { FileReport } from "./inspect.ts";

const defaults: ConvertOptions = {
  obsMapping: {},
  featureIdColumn: "",
  matrix: "auto",
  layer: "",
  allowNonCounts: false,
};

/** Describe a file and say everything that would keep it out of the warehouse with default options. */
export async function inspectFile(
  deps: Pick<IngestDeps, "store" | "tempDir" | "pool" | "readerTimeoutMs">,
  uri: string,
  signal: AbortSignal,
): Promise<FileReport & { problems: string[] }> {
  return withLocalFile(
    deps.store,
    uri,
    async (path) => {
      await runIsolated(path, "inspect", { timeoutMs: deps.readerTimeoutMs, signal });
      const report = await deps.pool.run<FileReport>("describe", { path }, { signal });
      const problems = await vetFile(deps, path, defaults, signal).then(
        () => [],
        (error) => {
          if (error instanceof IngestError) return [...error.problems];
          throw error;
        },
      );
      return { ...report, problems };
    },
    { signal, tmpDir: deps.tempDir },
  );
}
