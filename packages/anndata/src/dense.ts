import { AnnDataError } from "./errors.ts";
import {
  batchesOf,
  checkRange,
  checkShape,
  type MatrixAxes,
  type MatrixLimits,
  valueArray,
  valueDtype,
} from "./matrix.ts";
import { plainNumbers } from "./source.ts";
import type { ArrayInfo, Source } from "./storage.ts";
import type { CsrRows, Matrix } from "./types.ts";

/** A two-axis dataset, or the one-axis one that versions before 0.7 wrote when a side was 1. */
export function openDense(
  source: Source,
  where: string,
  axes: MatrixAxes,
  { maxBytes }: MatrixLimits,
): Matrix {
  const info = source.dataset(where);
  const squeezed = info.shape?.length === 1 && (axes.columns === 1 || axes.rows === 1);
  const shape: number[] = squeezed ? [axes.rows, info.shape![0]! / axes.rows] : (info.shape ?? []);
  checkShape(where, shape, axes);
  const dtype = valueDtype(info.type, where);
  const matrix: Matrix = {
    format: "dense",
    dtype,
    shape: [axes.rows, axes.columns],
    nnz: undefined,
    batches: (batchRows) => batchesOf(matrix, batchRows),
    toCsr: async () => matrix.rows(0, axes.rows),
    rows: (start, end) => {
      checkRange(where, axes.rows, start, end);
      const elements = (end - start) * axes.columns;
      if (elements * 8 > maxBytes) {
        throw new AnnDataError(
          "too-large",
          `${where}: ${end - start} dense rows take ${elements * 8} bytes, the limit is ${maxBytes}; ask for fewer`,
        );
      }
      return dropZeros(readRows(source, info, where, start, end, axes), dtype, end - start, axes.columns);
    },
  };
  return matrix;
}

function readRows(
  source: Source,
  info: ArrayInfo,
  where: string,
  start: number,
  end: number,
  axes: MatrixAxes,
) {
  if (info.shape?.length === 1 && axes.columns !== 1) return plainNumbers(source.read(info), where);
  return plainNumbers(source.read(info, start, end), where);
}

/** NaN is not zero and stays. */
function dropZeros(values: ArrayLike<number>, dtype: string, nRows: number, nCols: number): CsrRows {
  let nnz = 0;
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) nnz++;
  const indptr = new Float64Array(nRows + 1);
  const indices = new Int32Array(nnz);
  const data = valueArray(dtype, nnz);
  let at = 0;
  for (let row = 0; row < nRows; row++) {
    const base = row * nCols;
    for (let column = 0; column < nCols; column++) {
      const value = values[base + column]!;
      if (value === 0) continue;
      indices[at] = column;
      data[at++] = value;
    }
    indptr[row + 1] = at;
  }
  return { nRows, nCols, indptr, indices, data };
}
