import { dropZeros, itemBytes, readAllRows } from "./dense-rows.ts";
import { AnnDataError } from "./errors.ts";
import {
  batchesOf,
  checkRange,
  checkShape,
  growingMemory,
  type MatrixAxes,
  type MatrixLimits,
  valueDtype,
} from "./matrix.ts";
import { plainNumbers } from "./source.ts";
import type { ArrayInfo, Source } from "./storage.ts";
import type { Matrix } from "./types.ts";

/** A two-axis dataset, or the one-axis one that versions before 0.7 wrote when a side was 1. */
export function openDense(
  source: Source,
  where: string,
  axes: MatrixAxes,
  { maxBytes, reuseRows = false }: MatrixLimits,
): Matrix {
  const info = source.dataset(where);
  const squeezed = info.shape?.length === 1 && (axes.columns === 1 || axes.rows === 1);
  const shape: number[] = squeezed ? [axes.rows, info.shape![0]! / axes.rows] : (info.shape ?? []);
  checkShape(where, shape, axes);
  const dtype = valueDtype(info.type, where);
  // What was decoded is not needed once its zeros are dropped.
  const room = reuseRows ? growingMemory() : undefined;
  const matrix: Matrix = {
    format: "dense",
    dtype,
    shape: [axes.rows, axes.columns],
    nnz: undefined,
    batches: (batchRows) => batchesOf(matrix, batchRows),
    toCsr: async (options = {}) =>
      source.readParallel === undefined || squeezed || axes.columns === 0
        ? matrix.rows(0, axes.rows)
        : await readAllRows(source, info, where, dtype, axes, maxBytes, options),
    rows: (start, end) => {
      checkRange(where, axes.rows, start, end);
      const elements = (end - start) * axes.columns;
      if (elements * 8 > maxBytes) {
        throw new AnnDataError(
          "too-large",
          `${where}: ${end - start} dense rows take ${elements * 8} bytes, the limit is ${maxBytes}; ask for fewer`,
        );
      }
      const into = room?.(elements * itemBytes(info.type));
      const values = readRows(source, info, where, start, end, axes, into);
      return dropZeros(values, dtype, end - start, axes.columns);
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
  into: Uint8Array<ArrayBuffer> | undefined,
) {
  if (info.shape?.length === 1 && axes.columns !== 1) return plainNumbers(source.read(info), where);
  return plainNumbers(source.read(info, start, end, into), where);
}
