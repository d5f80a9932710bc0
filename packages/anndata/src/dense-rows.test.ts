import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createH5 } from "@cytomesh/hdf5";
import { openDense } from "./dense.ts";
import { dropZeros } from "./dense-rows.ts";
import { openH5Source } from "./h5-source.ts";
import { writeAnnData } from "./index.ts";
import type { Source } from "./storage.ts";
import { counts, csr, dense, frame, opened, temporaryFolder, types } from "./test-fixtures.ts";
import type { CsrRows } from "./types.ts";

const folder = temporaryFolder();
after(folder.remove);

/** More than two batches; one value in ten is not zero. */
const [nRows, nCols] = [9_000, 2_000];
const values = Float32Array.from({ length: nRows * nCols }, (_, i) =>
  (i * 7) % 10 === 0 ? 1 + ((i >> 4) % 9) : 0,
);
values[12_345] = Number.NaN;

const axes = { rows: nRows, columns: nCols, rowsSay: "obs", columnsSay: "var" };
const limits = { maxBytes: 2 ** 30, onClose: () => {} };

function writeDense(path: string, chunkRows: number): void {
  const out = createH5(path);
  out.dataset("/X", { type: types.float32, shape: [nRows, nCols], deflate: { level: 1 }, chunkRows }, values);
  out.finish();
}

const path = folder.path("dense.h5");
writeDense(path, 113);

const same = (a: CsrRows, b: CsrRows): boolean =>
  (["indptr", "indices", "data"] as const).every((name) => {
    const [x, y] = [a[name], b[name]].map((part) =>
      Buffer.from(part.buffer, part.byteOffset, part.byteLength),
    );
    return x!.equals(y!);
  });

test("a whole dense matrix is the same by one thread, by two, and row by row", async () => {
  const source = await openH5Source(path, 2 ** 30);
  const matrix = openDense(source, "/X", axes, limits);
  const expected = matrix.rows(0, nRows);
  assert.equal(
    expected.data.length,
    values.reduce((count, value) => count + (value === 0 ? 0 : 1), 0),
  );
  for (const threads of [1, 2]) {
    assert.ok(same(await matrix.toCsr({ threads }), expected), `${threads} threads`);
  }
  source.close();
});

test("numbers of every size, either store, few rows and no columns", async () => {
  const cells = counts(30, 7);
  const x = csr(cells, 7);
  for (const name of ["small.h5ad", "small.zarr"]) {
    for (const xDtype of ["int8", "uint16", "int32", "int64", "float32", "float64"] as const) {
      await writeAnnData(
        folder.path(name),
        { x, obs: frame("c", 30), var: frame("g", 7) },
        { xFormat: "dense", xDtype },
      );
      const file = await opened(folder.path(name));
      for (const threads of [1, 2]) assert.deepEqual(dense(await file.x!.toCsr({ threads })), cells, xDtype);
    }
  }
  const none = { x: csr([[], []], 0), obs: frame("c", 2), var: frame("g", 0) };
  await writeAnnData(folder.path("none.h5ad"), none, { xFormat: "dense" });
  assert.deepEqual(await (await opened(folder.path("none.h5ad"))).x!.toCsr(), none.x);
});

test("zarr is read in parallel as well", async () => {
  // One batch for threads, and a rest that is too small for them.
  const rows = 4_500;
  const x = { shape: [rows, nCols] as [number, number], batches: batches(rows) };
  await writeAnnData(
    folder.path("dense.zarr"),
    { x, obs: frame("c", rows), var: frame("g", nCols) },
    { xFormat: "dense" },
  );
  const file = await opened(folder.path("dense.zarr"));
  const expected = file.x!.rows(0, rows);
  for (const threads of [1, 2]) assert.ok(same(await file.x!.toCsr({ threads }), expected));
});

function* batches(rows: number): Generator<CsrRows> {
  const step = 500;
  for (let start = 0; start < rows; start += step) {
    yield dropZeros(values.subarray(start * nCols, (start + step) * nCols), "float32", step, nCols);
  }
}

test("two batches are held, however large the matrix and tall its chunks", async () => {
  for (const chunkRows of [113, nRows]) {
    const at = folder.path(`chunks-${chunkRows}.h5`);
    writeDense(at, chunkRows);
    const real = await openH5Source(at, 2 ** 30);
    const asked = new Map<SharedArrayBuffer, number>();
    let rowsRead = 0;
    const source: Source = {
      ...real,
      readParallel: (info, start, end, options) => {
        assert.equal(start, rowsRead);
        rowsRead = end;
        asked.set(options.into!, (end - start) * nCols * 4);
        return real.readParallel!(info, start, end, options);
      },
    };
    await openDense(source, "/X", axes, limits).toCsr({ threads: 2 });
    assert.equal(rowsRead, nRows);
    assert.ok(asked.size <= 2, `${asked.size} buffers`);
    const bound = chunkRows === nRows ? 128 * 2 ** 20 : 32 * 2 ** 20;
    for (const [buffer, bytes] of asked) {
      assert.ok(bytes <= buffer.byteLength && buffer.byteLength <= bound, `${buffer.byteLength} bytes`);
    }
    real.close();
  }
});

test("what is not zero must fit, not what is zero; who does not wait any more is heard", async () => {
  const source = await openH5Source(path, 2 ** 30);
  const fits = 8 * values.length * 0.11;
  const matrix = openDense(source, "/X", axes, { ...limits, maxBytes: fits });
  assert.throws(() => matrix.rows(0, nRows), { tag: "too-large" });
  assert.ok((await matrix.toCsr({ threads: 2 })).data.length > 0);
  const tight = openDense(source, "/X", axes, { ...limits, maxBytes: fits / 2 });
  await assert.rejects(tight.toCsr({ threads: 2 }), { tag: "too-large", message: /are not zero/ });
  const narrow = openDense(source, "/X", axes, { ...limits, maxBytes: 7_000 });
  await assert.rejects(narrow.toCsr(), { tag: "too-large", message: /a row takes 8000 bytes/ });
  const reason = new Error("enough");
  await assert.rejects(matrix.toCsr({ signal: AbortSignal.abort(reason) }), reason);
  const control = new AbortController();
  const reading = matrix.toCsr({ signal: control.signal, threads: 2 });
  control.abort(reason);
  await assert.rejects(reading, reason);
  source.close();
});
