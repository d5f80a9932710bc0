import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { writeH5ad } from "@cytomesh/anndata";
import { extractBins } from "@cytomesh/omics-store";
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
  let written = 0;
  const features = { index: input.features, columns: {} };
  await extractBins({
    ingestDirs: input.ingestDirs,
    curriculumDir: input.curriculumDir,
    bins: input.bins,
    memoryBytes: input.memoryBytes,
    signal: context.signal,
    async onBin(bin) {
      const path = join(input.outDir, `extract_${bin.bin}.h5ad`);
      await writeH5ad(path, {
        x: bin.rows,
        obs: { index: bin.index, columns: bin.obs },
        var: features,
        uns: { cytomesh: { ...input.lineage, bin: bin.bin } },
      });
      context.progress({
        bin: await describe(bin.bin, path, bin.index.length, bin.rows.indptr[bin.index.length] ?? 0),
      });
      written += 1;
      await context.breathe();
    },
    onProgress: ({ cellsDone }) => context.progress({ cells: cellsDone }),
  });
  return written;
}

async function describe(bin: number, path: string, cells: number, nnz: number): Promise<WrittenBin> {
  const hash = createHash("sha256");
  let bytes = 0;
  await pipeline(createReadStream(path), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  });
  return { bin, path, cells, nnz, bytes, sha256: hash.digest("hex") };
}
