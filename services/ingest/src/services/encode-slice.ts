import type { AnnData, Column, CsrRows, TurnStore } from "@cytomesh/anndata";
import type { EncodedBatch } from "@cytomesh/omics-store";
import { type EncodeOptions, encodeMatrixPages, OmicsStoreError } from "@cytomesh/omics-store/codec";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { IngestError } from "../errors.ts";
import { chooseMatrix } from "./choose-matrix.ts";
import type { ObsSource } from "./obs-columns.ts";
import { closeFile, openFile } from "./open-file.ts";
import type { FileRef } from "./outline-file.ts";
import { readSlice, type Slice } from "./slice.ts";

/** Cells to encode. Plain data. */
export interface EncodeRequest extends FileRef {
  readonly slice: Slice;
  /** The matrix turned round, where it lies by column. */
  readonly turned: TurnStore | undefined;
  readonly sources: readonly ObsSource[];
  readonly encode: Omit<EncodeOptions, "names">;
}

/** Read a slice, check its counts, encode its pages. Runs in a worker thread. */
export async function encodeSlice(request: EncodeRequest, context: TaskContext): Promise<EncodedBatch> {
  const { path, key, options, slice, encode } = request;
  const file = await openFile(path, key);
  try {
    const { matrix, var: frame, path: where } = chooseMatrix(file, options);
    const rows = readSlice(matrix, slice, request.turned);
    await context.breathe();
    const originalIds = file.obs.index(slice.from, slice.to);
    const place = {
      where,
      firstRow: slice.from,
      cell: (row: number) => JSON.stringify(originalIds[row]),
      gene: (column: number) => JSON.stringify(frame.index(column, column + 1)[0]),
    };
    const pages = encodeOrExplain(rows, encode, place, options.allowNonCounts);
    await context.breathe();
    return {
      pages,
      originalIds,
      totals: pages.totals,
      obs: obsOf(file, request.sources, slice, originalIds),
    };
  } catch (error) {
    closeFile();
    throw error;
  }
}

function obsOf(
  file: AnnData,
  sources: readonly ObsSource[],
  { from, to }: Slice,
  names: string[],
): Record<string, Column> {
  const columns = sources.map(({ name, source }): [string, Column] => [
    name,
    source === undefined ? { kind: "string", values: names } : file.obs.column(source, from, to),
  ]);
  return Object.fromEntries(columns);
}

interface Place {
  where: string;
  firstRow: number;
  cell(row: number): string;
  gene(column: number): string;
}

/** The encoder sees every value; only when it finds a wrong one is it looked for again, to be told in the words of the file. */
function encodeOrExplain(
  rows: CsrRows,
  encode: EncodeRequest["encode"],
  place: Place,
  allowFractions: boolean,
) {
  try {
    const pages = encodeMatrixPages(rows, { ...encode, names: place });
    if (!pages.negative) return pages;
    refuseWrongValue(rows, place, allowFractions);
  } catch (error) {
    if (error instanceof OmicsStoreError && error.tag === "invalid_counts")
      refuseWrongValue(rows, place, allowFractions);
    throw error;
  }
  throw new IngestError("invalid-file", `${place.where} has a negative value`);
}

function refuseWrongValue(
  rows: CsrRows,
  { where, firstRow, cell, gene }: Place,
  allowFractions: boolean,
): void {
  for (let row = 0; row < rows.nRows; row++) {
    for (let k = rows.indptr[row] as number; k < (rows.indptr[row + 1] as number); k++) {
      const value = rows.data[k] as number;
      if (value >= 0 && value < Number.POSITIVE_INFINITY && (allowFractions || value === (value | 0)))
        continue;
      throw new IngestError(
        "invalid-file",
        `${where}: row ${firstRow + row} has ${value} (cell ${cell(row)}, gene ${gene(rows.indices[k] as number)}); counts are finite, not negative, and whole numbers below 2^31 unless allow_non_counts is set`,
      );
    }
  }
}
