import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createH5 } from "@cytomesh/hdf5";
import { openH5Source } from "./h5-source.ts";
import { openMatrix } from "./matrix.ts";
import { counts, csr, dense, temporaryFolder, types } from "./test-fixtures.ts";

const folder = temporaryFolder();
after(() => folder.remove());

const cells = counts(60, 40);
const sound = csr(cells, 40);

/** Matrices whose columns are in order, fall, and are wide integers, in chunks that no range of rows fits. */
const matrices = {
  rising: { indices: types.int32, data: types.float32, order: (columns: number[]) => columns },
  falling: { indices: types.int32, data: types.float32, order: (columns: number[]) => columns.reverse() },
  wide: { indices: types.int64, data: types.float64, order: (columns: number[]) => columns },
};

function write(path: string): void {
  const out = createH5(path);
  for (const [name, { indices, data, order }] of Object.entries(matrices)) {
    const columns: number[] = [];
    for (let r = 0; r < sound.nRows; r++)
      columns.push(...order([...sound.indices.subarray(sound.indptr[r], sound.indptr[r + 1])]));
    const row = (k: number) => sound.indptr.findLastIndex((from) => from <= k);
    const values = columns.map((column, k) => cells[row(k)]![column]!);
    const nnz = columns.length;
    out.group(`/${name}`);
    out.attribute(`/${name}`, "encoding-type", "csr_matrix");
    out.attribute(`/${name}`, "shape", { shape: [2], type: types.int64, values: BigInt64Array.of(60n, 40n) });
    const chunked = { deflate: { level: 1 }, chunkRows: 17 };
    const wide = indices === types.int64;
    out.dataset(
      `/${name}/indices`,
      { type: indices, shape: [nnz], ...chunked },
      wide ? BigInt64Array.from(columns, BigInt) : Int32Array.from(columns),
    );
    out.dataset(
      `/${name}/data`,
      { type: data, shape: [nnz], ...chunked },
      wide ? Float64Array.from(values) : Float32Array.from(values),
    );
    out.dataset(`/${name}/indptr`, { type: types.int32, shape: [61] }, Int32Array.from(sound.indptr));
  }
  for (const name of ["float32", "float64", "int64"] as const) {
    const all = cells.flat();
    const values =
      name === "int64"
        ? BigInt64Array.from(all, BigInt)
        : name === "float32"
          ? Float32Array.from(all)
          : Float64Array.from(all);
    out.dataset(
      `/dense ${name}`,
      { type: types[name], shape: [60, 40], deflate: { level: 1 }, chunkRows: 17 },
      values,
    );
  }
  out.finish();
}

test("ranges of rows read into the same memory hold what they hold otherwise", async () => {
  const path = folder.path("rows.h5");
  write(path);
  const source = await openH5Source(path, 1e9);
  const axes = { rows: 60, columns: 40, rowsSay: "", columnsSay: "" };
  const denseNames = ["dense float32", "dense float64", "dense int64"];
  for (const name of [...Object.keys(matrices), ...denseNames]) {
    const reused = openMatrix(source, `/${name}`, axes, { maxBytes: 1e9, reuseRows: true, onClose() {} });
    for (const [start, end] of [
      [0, 3],
      [3, 50],
      [50, 60],
      [7, 7],
      [0, 60],
      [58, 60],
    ] as const) {
      const rows = reused.rows(start, end);
      assert.deepEqual(dense(rows), cells.slice(start, end), `${name} ${start} ${end}`);
      assert.equal(rows.data.length, rows.indptr[end - start], name);
    }
  }
  const matrix = openMatrix(source, "/rising", axes, { maxBytes: 1e9, reuseRows: true, onClose() {} });
  assert.equal(matrix.rows(0, 40).data.buffer, matrix.rows(40, 60).data.buffer);
  source.close();
});
