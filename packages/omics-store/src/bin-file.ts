import { openAnnData } from "@cytomesh/anndata";
import { getJson, joinUri, type ObjectStore } from "@cytomesh/object-store";
import { z } from "zod";
import { OmicsStoreError } from "./errors.ts";
import { hashFile } from "./files.ts";
import type { CsrRowsLike } from "./types.ts";

/** Obs column of every bin: total counts of the cell over all genes of its file, not only those of the schema. */
export const totalCountsColumn = "total_mrna_umis";

/** File of a bin inside the `bins` folder of its curriculum. */
export function binFileName(bin: number): string {
  return `extract_${bin}.h5ad`;
}

const count = z.number().int().min(0);
const binsManifestSchema = z.object({
  version: z.literal(1),
  curriculum: z.string(),
  curriculumManifestSha256: z.string(),
  cells: count,
  bins: z.array(
    z.object({ bin: count, file: z.string(), cells: count, nnz: count, bytes: count, sha256: z.string() }),
  ),
});

/** `bins/manifest.json` of an extracted curriculum: every bin with its checksum. */
export type BinsManifest = z.infer<typeof binsManifestSchema>;

/** Parse the manifest of the bins. Throws `corrupt`. */
export function parseBinsManifest(json: unknown, where: string): BinsManifest {
  const parsed = binsManifestSchema.safeParse(json);
  if (!parsed.success) throw new OmicsStoreError("corrupt", `${where}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Read the manifest of the bins from the `bins` folder of a curriculum. Throws `corrupt`, and what the store throws. */
export async function fetchBinsManifest(
  store: ObjectStore,
  binsUri: string,
  signal?: AbortSignal,
): Promise<BinsManifest> {
  const uri = joinUri(binsUri, "manifest.json");
  return parseBinsManifest(await getJson(store, uri, signal === undefined ? {} : { signal }), uri);
}

/** A bin that is read batch by batch. */
export interface BinReader extends Disposable {
  readonly cells: number;
  readonly features: number;
  /** Cell ids in row order. */
  readonly cellIds: Float64Array;
  /** Total counts per cell. */
  readonly totals: Float64Array;
  /** Rows in order, with where they begin. */
  batches(rows: number): Generator<{ start: number; rows: CsrRowsLike }>;
}

/**
 * Open a bin. Its checksum is compared first, as a damaged bin would silently change a model.
 * Throws `corrupt` when checksum, ids or totals are not what extraction wrote, and AnnDataError.
 */
export async function openBin(path: string, sha256: string, signal?: AbortSignal): Promise<BinReader> {
  const found = await hashFile(path, signal);
  if (found.sha256 !== sha256)
    throw new OmicsStoreError("corrupt", `${path} has SHA-256 ${found.sha256}, its manifest says ${sha256}`);
  const file = await openAnnData(path);
  try {
    const { x } = file;
    const totals = file.obs.has(totalCountsColumn) ? file.obs.column(totalCountsColumn) : undefined;
    if (x === undefined || totals?.kind !== "number")
      throw new OmicsStoreError("corrupt", `${path} lacks X or numeric obs/${totalCountsColumn}`);
    const ids = file.obs.index();
    const cellIds = Float64Array.from(ids, Number);
    if (!ids.every((id, row) => Number.isSafeInteger(cellIds[row]) && String(cellIds[row]) === id))
      throw new OmicsStoreError("corrupt", `${path}: the obs index holds something else than cell ids`);
    if (!totals.values.every(Number.isFinite))
      throw new OmicsStoreError(
        "corrupt",
        `${path}: obs/${totalCountsColumn} has values that are not finite`,
      );
    return {
      cells: file.nObs,
      features: file.nVar,
      cellIds,
      totals: Float64Array.from(totals.values),
      batches: (rows) => x.batches(rows),
      [Symbol.dispose]: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}
