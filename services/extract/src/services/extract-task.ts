import { join } from "node:path";
import { writeH5ad } from "@cytomesh/anndata";
import { binFileName, extractBins, hashFile, totalCountsColumn } from "@cytomesh/omics-store";
import type { TaskContext } from "@cytomesh/service-kit/task";

/** Input of the task. */
export interface ExtractInput {
  readonly ingestDirs: string[];
  readonly curriculumDir: string;
  readonly features: string[];
  readonly bins: number[];
  readonly outDir: string;
  readonly memoryBytes: number;
  /** Lineage written into `uns` of every bin. */
  readonly lineage: { curriculum: string; manifestSha256: string; seed: number };
}

/** A bin that lies in `outDir`. */
export interface WrittenBin {
  readonly bin: number;
  readonly path: string;
  readonly cells: number;
  readonly nnz: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** Deal rows to bins and write each as `.h5ad`; every finished bin is told as progress so that it can be uploaded meanwhile. */
export async function extract(input: ExtractInput, context: TaskContext): Promise<number> {
  let count = 0;
  const features = { index: input.features, columns: {} };
  await extractBins({
    ingestDirs: input.ingestDirs,
    curriculumDir: input.curriculumDir,
    bins: input.bins,
    memoryBytes: input.memoryBytes,
    signal: context.signal,
    async onBin(bin) {
      // Named as training loaders of the field expect it.
      const { n_counts: totals, ...columns } = bin.obs;
      if (totals !== undefined) columns[totalCountsColumn] = totals;
      const path = join(input.outDir, binFileName(bin.bin));
      await writeH5ad(path, {
        x: bin.rows,
        obs: { index: bin.index, columns },
        var: features,
        uns: { cytomesh: { ...input.lineage, bin: bin.bin } },
      });
      const cells = bin.index.length;
      const written: WrittenBin = {
        bin: bin.bin,
        path,
        cells,
        nnz: bin.rows.indptr[cells] ?? 0,
        ...(await hashFile(path, context.signal)),
      };
      context.progress({ bin: written });
      count += 1;
      await context.breathe();
    },
    onProgress: ({ cellsDone }) => context.progress({ cells: cellsDone }),
  });
  return count;
}
