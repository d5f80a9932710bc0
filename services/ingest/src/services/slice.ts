import {
  type CsrRows,
  concatRows,
  type Matrix,
  sliceRows,
  type TurnPlan,
  type TurnStore,
} from "@cytomesh/anndata";

/** Cells of a file that are read, checked and encoded in one go. */
export interface Slice {
  readonly from: number;
  readonly to: number;
}

/** Values per slice: 1.2 M are 10 MB of indices and counts, of which every thread holds a few until they are collected. */
const sliceValues = 1_200_000;

/** Cells per slice at most: obs of so many cells cross threads at once. */
const maxCells = 8_192;

/** Values read at a time; only dense matrices and very full cells need more than one read per slice. */
const readValues = 8_000_000;

const valuesPerRow = ([rows, columns]: readonly [number, number], nnz: number | undefined): number =>
  Math.max(1, (nnz ?? rows * columns) / Math.max(1, rows));

/** Cuts a matrix into slices of whole pages, so that the pages do not depend on the slices. */
export function slicesOf(
  shape: readonly [number, number],
  nnz: number | undefined,
  pageCells: number,
): Slice[] {
  const wanted = Math.min(maxCells, sliceValues / valuesPerRow(shape, nnz));
  const cells = Math.max(1, Math.floor(wanted / pageCells)) * pageCells;
  const slices: Slice[] = [];
  for (let from = 0; from < shape[0]; from += cells)
    slices.push({ from, to: Math.min(shape[0], from + cells) });
  return slices;
}

/** Entries of a matrix by column that a thread sorts at a time: some 20 MB with what comes of them. */
const stepEntries = 1024 * 1024;
/** Every step has a place for every bucket: rather than more steps than this, up to four times larger ones. */
const manySteps = 4_096;

/** How a matrix by column is turned round: a slice is a bucket of it, where these are not too many. */
export function turnOf(matrix: Matrix, pageCells: number): TurnPlan | undefined {
  const many = Math.ceil((matrix.nnz ?? 0) / manySteps);
  return matrix.turning?.plan({
    stepEntries: Math.min(4 * stepEntries, Math.max(stepEntries, many)),
    bucketEntries: sliceValues,
    leastRows: pageCells,
    mostRows: maxCells,
  });
}

/** The slices of a matrix that is turned round. None reaches over the end of a bucket: both have a power of two of cells. */
export function turnedSlices({ nRows, nnz, shift }: TurnPlan, pageCells: number): Slice[] {
  const wanted = Math.max(pageCells, sliceValues / valuesPerRow([nRows, 0], nnz));
  const cells = 2 ** Math.min(shift, Math.floor(Math.log2(wanted)));
  return Array.from({ length: Math.ceil(nRows / cells) }, (_, i) => ({
    from: i * cells,
    to: Math.min(nRows, (i + 1) * cells),
  }));
}

/** The rows of a slice. A dense matrix is read in parts, of which only what is not zero is kept; one by column comes from its store. */
export function readSlice(matrix: Matrix, { from, to }: Slice, turned: TurnStore | undefined): CsrRows {
  if (turned !== undefined && matrix.turning !== undefined) return matrix.turning.rows(turned, from, to);
  const step = Math.max(1, Math.floor(readValues / valuesPerRow(matrix.shape, matrix.nnz)));
  if (to - from <= step) return matrix.rows(from, to);
  const parts: CsrRows[] = [];
  for (let at = from; at < to; at += step) {
    const part = matrix.rows(at, Math.min(to, at + step));
    // The file may read the next part into the same memory.
    parts.push(sliceRows(part, 0, part.nRows));
  }
  return concatRows(parts);
}
