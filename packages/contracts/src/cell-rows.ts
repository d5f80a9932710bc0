/** Rows of a count matrix, as readers give them: CSR, row r owns entries indptr[r] … indptr[r + 1] - 1. */
export interface CountRows {
  readonly nRows: number;
  readonly indptr: Float64Array;
  readonly indices: Int32Array;
  readonly data: Float32Array | Float64Array;
}

/** The fields of a `cytomesh.inference.v1.CellRows` message. */
export interface PackedCellRows {
  readonly cellIds: string[];
  readonly indptr: Uint8Array<ArrayBuffer>;
  readonly indices: Uint8Array<ArrayBuffer>;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly totalCounts: Uint8Array<ArrayBuffer>;
}

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

function bytesOf(array: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return littleEndian ? bytes : new Uint8Array(Buffer.from(bytes).swap32());
}

/**
 * Pack rows as the inference service takes them: uint32 indptr from 0 and indices, float32 counts and totals, little-endian.
 *
 * @param totals total counts per cell; empty: the service sums the rows.
 */
export function packCellRows(
  rows: CountRows,
  cellIds: readonly string[],
  totals: ArrayLike<number>,
): PackedCellRows {
  const from = rows.indptr[0] ?? 0;
  const to = rows.indptr[rows.nRows] ?? 0;
  return {
    cellIds: [...cellIds],
    indptr: bytesOf(Uint32Array.from(rows.indptr.subarray(0, rows.nRows + 1), (at) => at - from)),
    indices: bytesOf(Uint32Array.from(rows.indices.subarray(from, to))),
    data: bytesOf(Float32Array.from(rows.data.subarray(from, to))),
    totalCounts: bytesOf(Float32Array.from(totals)),
  };
}
