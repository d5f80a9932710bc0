import type { Random } from "./random.ts";
import type { CsrRows } from "./table.ts";

/** What to draw for one cell. */
export interface CellDraw {
  /** Expected counts per unit of library size, by column of the study. */
  readonly rates: Float64Array;
  /** Expected total count. */
  readonly librarySize: number;
}

/** Draws negative-binomial counts, cell by cell; a cell that comes out empty gets one count in its top gene. */
export function drawCounts(cells: readonly CellDraw[], dispersions: Float64Array, random: Random): CsrRows {
  const nCols = dispersions.length;
  const indptr = new Float64Array(cells.length + 1);
  let indices = new Int32Array(1 << 16);
  let data = new Float32Array(1 << 16);
  let filled = 0;
  cells.forEach(({ rates, librarySize }, row) => {
    if (filled + nCols > indices.length) {
      indices = grow(indices, new Int32Array(2 * indices.length + nCols));
      data = grow(data, new Float32Array(2 * data.length + nCols));
    }
    const start = filled;
    for (let column = 0; column < nCols; column++) {
      const count = random.negativeBinomial(librarySize * rates[column]!, dispersions[column]!);
      if (count === 0) continue;
      indices[filled] = column;
      data[filled++] = count;
    }
    if (filled === start) {
      indices[filled] = rates.indexOf(rates.reduce((a, b) => Math.max(a, b), 0));
      data[filled++] = 1;
    }
    indptr[row + 1] = filled;
  });
  return {
    nRows: cells.length,
    nCols,
    indptr,
    indices: indices.slice(0, filled),
    data: data.slice(0, filled),
  };
}

function grow<T extends Int32Array | Float32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** log(1 + 10,000 · count / total) of every entry: the usual normalisation, in float32. */
export function logNormalize(x: CsrRows): CsrRows {
  const data = new Float32Array(x.data.length);
  for (let row = 0; row < x.nRows; row++) {
    const total = rowTotal(x, row);
    for (let i = x.indptr[row]!; i < x.indptr[row + 1]!; i++)
      data[i] = Math.log1p((1e4 * x.data[i]!) / total);
  }
  return { ...x, data };
}

/** Sum of one row. */
export function rowTotal(x: CsrRows, row: number): number {
  let total = 0;
  for (let i = x.indptr[row]!; i < x.indptr[row + 1]!; i++) total += x.data[i]!;
  return total;
}
