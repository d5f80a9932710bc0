import { join } from "node:path";
import { writeH5ad } from "@cytomesh/anndata";
import {
  type BinGroup,
  type BinHead,
  type BinMatrix,
  binFileName,
  type Dealing,
  dealRows,
  type Extraction,
  finishBin,
  hashFile,
  type MatrixRoom,
  openBinGroup,
  openExtraction,
  totalCountsColumn,
} from "@cytomesh/omics-store";
import type { TaskContext } from "@cytomesh/service-kit/task";

export interface OpenInput {
  readonly ingestDirs: string[];
  readonly curriculumDir: string;
  readonly bins: number[];
  readonly memoryBytes: number;
}

/** Check the curriculum against its ingests and cut the bins into groups. */
export function open(input: OpenInput, { signal }: TaskContext): Promise<Extraction> {
  return openExtraction({ ...input, signal });
}

/** Read which cells go where in a group of bins. */
export function group(
  { extraction, number, room }: { extraction: Extraction; number: number; room: MatrixRoom },
  { signal }: TaskContext,
): Promise<BinGroup> {
  return openBinGroup(extraction, extraction.groups[number]!, room, signal);
}

/** Deal rows into the bins of a group, in as many threads as run this with the same dealing. Progress: cells dealt since the last message. */
export function deal(dealing: Dealing, { signal, progress }: TaskContext): Promise<void> {
  return dealRows(dealing, { signal, onCells: (cells) => progress(cells) });
}

export interface WriteInput {
  readonly head: BinHead;
  readonly matrix: BinMatrix;
  readonly features: string[];
  readonly outDir: string;
  /** Threads that compress, this one included. */
  readonly threads: number;
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

/** Write a bin whose rows are dealt as `.h5ad`. */
export async function write(input: WriteInput, { signal }: TaskContext): Promise<WrittenBin> {
  const { bin, index, rows, obs } = finishBin(input.head, input.matrix, input.features.length);
  // Named as training loaders of the field expect it.
  const { n_counts: totals, ...columns } = obs;
  if (totals !== undefined) columns[totalCountsColumn] = totals;
  const path = join(input.outDir, binFileName(bin));
  await writeH5ad(
    path,
    {
      x: rows,
      obs: { index, columns },
      var: { index: input.features, columns: {} },
      uns: { cytomesh: { ...input.lineage, bin } },
    },
    { threads: input.threads },
  );
  const nnz = rows.indptr[rows.nRows] ?? 0;
  return { bin, path, cells: rows.nRows, nnz, ...(await hashFile(path, signal)) };
}
