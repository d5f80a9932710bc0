import { tmpdir } from "node:os";
import { convertNumbers, dtypeType } from "./dtypes.ts";
import { encode } from "./elements/write-element.ts";
import { AnnDataError } from "./errors.ts";
import { createSpill } from "./spill.ts";
import type { Sink } from "./storage.ts";
import type { CsrRows, CsrStream, NumberDtype } from "./types.ts";

/** How a matrix is to stand in the file. */
export interface MatrixLayout {
  format: "csr" | "csc" | "dense";
  dtype: NumberDtype;
  /** Where a CSC matrix is sorted; default: the system's folder for temporary files. */
  tempDir?: string | undefined;
}

/** Elements of a dense matrix per chunk, as of any other array. */
const chunkElements = 65_536;
/** Buckets of columns and memory for them, to sort by column what comes by row. */
const maxBuckets = 1_024;
const spillBytes = 32 * 1024 * 1024;

/**
 * Writes a matrix that comes as batches of CSR rows; of the batches nothing is held. CSC is sorted on disk on the way.
 *
 * @throws AnnDataError "invalid-argument"
 */
export async function writeMatrix(
  sink: Sink,
  where: string,
  input: CsrRows | CsrStream,
  shape: readonly [number, number],
  layout: MatrixLayout,
): Promise<void> {
  const declared = "batches" in input ? input.shape : [input.nRows, input.nCols];
  if (declared[0] !== shape[0] || declared[1] !== shape[1]) {
    throw new AnnDataError(
      "invalid-argument",
      `${where} has shape [${declared}], obs and var say [${shape}]`,
    );
  }
  const batches = checkedBatches("batches" in input ? input.batches : [input], where, shape);
  if (layout.format === "dense") return writeDense(sink, where, batches, shape, layout.dtype);
  sink.group(where);
  encode(sink, where, `${layout.format}_matrix`);
  sink.attribute(where, "shape", {
    shape: [2],
    type: dtypeType("int64"),
    values: BigInt64Array.from(shape, BigInt),
  });
  const indptr =
    layout.format === "csr"
      ? await writeByRow(sink, where, batches, shape, layout.dtype)
      : await writeByColumn(sink, where, batches, shape, layout);
  await writeOffsets(sink, where, indptr);
}

type Batches = AsyncGenerator<CsrRows>;

async function* checkedBatches(
  batches: Iterable<CsrRows> | AsyncIterable<CsrRows>,
  where: string,
  shape: readonly [number, number],
): Batches {
  let row = 0;
  for await (const batch of batches) {
    checkBatch(where, batch, row, shape);
    yield batch;
    row += batch.nRows;
  }
  if (row !== shape[0]) {
    throw new AnnDataError(
      "invalid-argument",
      `${where}: the batches have ${row} rows together, expected ${shape[0]}`,
    );
  }
}

/** The two arrays that grow with the entries. */
function openEntries(sink: Sink, where: string, dtype: NumberDtype) {
  const data = sink.appendable(`${where}/data`, { type: dtypeType(dtype), shape: [0] });
  const indices = sink.appendable(`${where}/indices`, { type: dtypeType("int32"), shape: [0] });
  for (const name of ["data", "indices"]) encode(sink, `${where}/${name}`, "array");
  return { data, indices };
}

async function writeByRow(
  sink: Sink,
  where: string,
  batches: Batches,
  shape: readonly [number, number],
  dtype: NumberDtype,
): Promise<Float64Array> {
  const { data, indices } = openEntries(sink, where, dtype);
  const indptr = new Float64Array(shape[0] + 1);
  let row = 0;
  for await (const batch of batches) {
    const base = indptr[row]!;
    for (let r = 1; r <= batch.nRows; r++) indptr[row + r] = base + batch.indptr[r]!;
    const nnz = batch.indptr[batch.nRows]!;
    await data.append(convertNumbers(batch.data.subarray(0, nnz), dtype, `${where}/data`));
    await indices.append(batch.indices.subarray(0, nnz));
    row += batch.nRows;
  }
  return indptr;
}

/** Entries go into buckets of columns on disk; a bucket at a time is then sorted and written. Rows come in order and stay so. */
async function writeByColumn(
  sink: Sink,
  where: string,
  batches: Batches,
  shape: readonly [number, number],
  { dtype, tempDir = tmpdir() }: MatrixLayout,
): Promise<Float64Array> {
  const nCols = shape[1];
  const width = Math.max(1, Math.ceil(nCols / maxBuckets));
  const buckets = Math.max(1, Math.ceil(nCols / width));
  const spill = createSpill(buckets, spillBytes, true, tempDir);
  try {
    const counts = new Float64Array(nCols + 1);
    let row = 0;
    for await (const batch of batches) {
      for (let r = 0; r < batch.nRows; r++, row++) {
        for (let i = batch.indptr[r]!; i < batch.indptr[r + 1]!; i++) {
          const column = batch.indices[i]!;
          counts[column + 1]!++;
          spill.add(Math.floor(column / width), column, row, batch.data[i]!);
        }
      }
    }
    for (let column = 0; column < nCols; column++) counts[column + 1]! += counts[column]!;
    const { data, indices } = openEntries(sink, where, dtype);
    for (let bucket = 0; bucket < buckets; bucket++) {
      const entries = spill.read(bucket);
      const base = counts[bucket * width]!;
      const next = counts.slice(bucket * width, Math.min(nCols, (bucket + 1) * width));
      const rows = new Int32Array(entries.minor.length);
      const values = new Float64Array(rows.length);
      for (let i = 0; i < rows.length; i++) {
        const at = next[entries.major[i]! - bucket * width]!++ - base;
        rows[at] = entries.minor[i]!;
        values[at] = entries.data[i]!;
      }
      await data.append(convertNumbers(values, dtype, `${where}/data`));
      await indices.append(rows);
    }
    return counts;
  } finally {
    spill.close();
  }
}

async function writeDense(
  sink: Sink,
  where: string,
  batches: Batches,
  shape: readonly [number, number],
  dtype: NumberDtype,
): Promise<void> {
  const nCols = shape[1];
  const layout = { type: dtypeType(dtype), shape };
  if (shape[0] === 0 || nCols === 0) {
    for await (const _ of batches);
    await sink.dataset(where, layout, convertNumbers(new Float64Array(0), dtype, where));
    encode(sink, where, "array");
    return;
  }
  const chunkRows = Math.max(1, Math.min(shape[0], Math.floor(chunkElements / nCols)));
  const target = sink.appendable(where, { ...layout, chunkRows });
  encode(sink, where, "array");
  for await (const batch of batches) {
    // Some rows at a time: a batch of sparse rows may be huge when it is dense.
    for (let from = 0; from < batch.nRows; from += chunkRows) {
      const to = Math.min(batch.nRows, from + chunkRows);
      const values = new Float64Array((to - from) * nCols);
      for (let r = from; r < to; r++) {
        for (let i = batch.indptr[r]!; i < batch.indptr[r + 1]!; i++) {
          values[(r - from) * nCols + batch.indices[i]!] = batch.data[i]!;
        }
      }
      await target.append(convertNumbers(values, dtype, where));
    }
  }
}

/** scipy reads 32-bit offsets faster and needs 64-bit ones only beyond 2^31 entries. */
async function writeOffsets(sink: Sink, where: string, indptr: Float64Array): Promise<void> {
  const dtype = indptr[indptr.length - 1]! >= 2 ** 31 ? "int64" : "int32";
  const layout = { type: dtypeType(dtype), shape: [indptr.length] };
  await sink.dataset(`${where}/indptr`, layout, convertNumbers(indptr, dtype, `${where}/indptr`));
  encode(sink, `${where}/indptr`, "array");
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
    const columns = batch.indices.subarray(from, to);
    const wrong = firstWrongColumn(columns, shape[1]);
    if (wrong >= 0) {
      throw new AnnDataError(
        "invalid-argument",
        `${where}: row ${row + r} has column ${columns[wrong]} after ${columns[wrong - 1] ?? -1}; columns must rise and be below ${shape[1]}`,
      );
    }
  }
}

/** Where columns stop to rise from 0 on or leave the matrix; -1: nowhere. Apart, so that its loop runs over small integers alone. */
function firstWrongColumn(columns: Int32Array, nCols: number): number {
  let before = -1;
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!;
    if (column <= before || column >= nCols) return i;
    before = column;
  }
  return -1;
}
