import type { H5Numbers, H5Writer } from "@cytomesh/hdf5";
import { AnnDataError } from "./errors.ts";
import type { CsrRows, CsrStream, WriteOptions } from "./types.ts";
import { convertNumbers, type Deflate, dtypeType, encoding, writeArray } from "./write-elements.ts";

/** A CSR group: entries are appended batch by batch, offsets are written at the end. */
export function writeMatrix(
  out: H5Writer,
  where: string,
  input: CsrRows | CsrStream,
  shape: readonly [number, number],
  dtype: NonNullable<WriteOptions["xDtype"]>,
  deflate: Deflate,
): void {
  const batches = "batches" in input ? input.batches : [input];
  const declared = "batches" in input ? input.shape : [input.nRows, input.nCols];
  if (declared[0] !== shape[0] || declared[1] !== shape[1]) {
    throw new AnnDataError(
      "invalid-argument",
      `${where} has shape [${declared}], obs and var say [${shape}]`,
    );
  }
  out.group(where);
  encoding(out, where, "csr_matrix", "0.1.0");
  const shapeValues = BigInt64Array.from(shape, BigInt);
  out.attribute(where, "shape", {
    shape: [2],
    type: { kind: "int", size: 8, signed: true },
    values: shapeValues,
  });
  const storage = deflate === undefined ? {} : { deflate };
  const data = out.appendable(`${where}/data`, { type: dtypeType(dtype), shape: [0], ...storage });
  const indices = out.appendable(`${where}/indices`, { type: dtypeType("int32"), shape: [0], ...storage });
  for (const name of ["data", "indices"]) encoding(out, `${where}/${name}`, "array", "0.2.0");

  const indptr = new Float64Array(shape[0] + 1);
  let row = 0;
  for (const batch of batches) {
    checkBatch(where, batch, row, shape);
    const base = indptr[row]!;
    for (let r = 1; r <= batch.nRows; r++) indptr[row + r] = base + batch.indptr[r]!;
    const nnz = batch.indptr[batch.nRows]!;
    data.append(convertNumbers(batch.data.subarray(0, nnz), dtype, `${where}/data`));
    indices.append(batch.indices.subarray(0, nnz));
    row += batch.nRows;
  }
  if (row !== shape[0]) {
    throw new AnnDataError(
      "invalid-argument",
      `${where}: the batches have ${row} rows together, expected ${shape[0]}`,
    );
  }
  writeOffsets(out, where, indptr, deflate);
}

/** scipy reads 32-bit offsets faster and needs 64-bit ones only beyond 2^31 entries. */
function writeOffsets(out: H5Writer, where: string, indptr: Float64Array, deflate: Deflate): void {
  const wide = indptr[indptr.length - 1]! >= 2 ** 31;
  const values: H5Numbers = wide ? BigInt64Array.from(indptr, BigInt) : Int32Array.from(indptr);
  writeArray(out, `${where}/indptr`, dtypeType(wide ? "int64" : "int32"), [indptr.length], values, deflate);
}

function checkBatch(where: string, batch: CsrRows, row: number, shape: readonly [number, number]): void {
  const nnz = batch.indptr[batch.nRows] ?? Number.NaN;
  const sound =
    batch.nCols === shape[1] &&
    row + batch.nRows <= shape[0] &&
    batch.indptr.length === batch.nRows + 1 &&
    batch.indptr[0] === 0 &&
    nnz <= batch.indices.length &&
    nnz <= batch.data.length;
  if (!sound) {
    throw new AnnDataError(
      "invalid-argument",
      `${where}: batch at row ${row} (${batch.nRows} x ${batch.nCols}, ${nnz} entries) does not fit [${shape}] or its own arrays`,
    );
  }
  for (let r = 0; r < batch.nRows; r++) {
    const [from, to] = [batch.indptr[r]!, batch.indptr[r + 1]!];
    if (!(to >= from)) throw new AnnDataError("invalid-argument", `${where}: indptr falls at row ${row + r}`);
    let before = -1;
    for (let i = from; i < to; i++) {
      const column = batch.indices[i]!;
      if (!(column > before && column < shape[1])) {
        throw new AnnDataError(
          "invalid-argument",
          `${where}: row ${row + r} has column ${column} after ${before}; columns must rise and be below ${shape[1]}`,
        );
      }
      before = column;
    }
  }
}
