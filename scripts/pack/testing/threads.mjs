// Runs in a project that has the packages installed: everything that starts a thread, and which threads those were.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";

const threads = createRequire(import.meta.url)("node:worker_threads");
const started = new Set();
const { Worker } = threads;
threads.Worker = class extends Worker {
  constructor(url, options) {
    super(url, options);
    started.add(url.pathname.replace(/^.*\/node_modules\//, ""));
  }
};
syncBuiltinESMExports();

const { default: h5wasm } = await import("h5wasm/node");
const { createH5, openH5, readParallel } = await import("@cytomesh/hdf5");
const { createZarr, openParallel } = await import("@cytomesh/zarr");
const { openAnnData, runIsolated, writeAnnData } = await import("@cytomesh/anndata");

const values = Float32Array.from({ length: 2 ** 19 }, (_, i) => (i * 2654435761) % 1000);
const dataset = { type: { kind: "float", size: 4 }, shape: [0], deflate: { level: 1 }, shuffle: true };
for (const [path, options] of [
  ["alone.h5", {}],
  ["together.h5", { threads: 2 }],
]) {
  const out = createH5(path, options);
  out.appendable("/values", dataset).append(values);
  out.finish();
}
assert.ok(readFileSync("alone.h5").equals(readFileSync("together.h5")));
const file = await openH5("together.h5");
assert.deepEqual(Float32Array.from(await readParallel(file, "/values", { threads: 2 })), values);
file.close();

// Scale-offset (filter 6, of integers, as narrow as they allow) is one of the things that only the fallback reads.
await h5wasm.ready;
const foreign = new h5wasm.File("foreign.h5", "w");
const filter = { compression: 6, compression_opts: [2, 0] };
foreign.create_dataset({
  name: "packed",
  data: Int32Array.of(5, 6, 7, 8),
  shape: [4],
  chunks: [4],
  ...filter,
});
foreign.close();
const fallback = await openH5("foreign.h5");
assert.deepEqual(fallback.read(fallback.dataset("/packed"), 1, 3), Int32Array.of(6, 7));
fallback.close();

// Threads are used from 16 MiB on.
const rows = 2 ** 22 + 2;
const zarr = createZarr("big.zarr");
const array = zarr.appendable("/values", { type: { kind: "int", size: 4, signed: true }, shape: [0] });
await array.append(Int32Array.from({ length: rows }, (_, i) => i));
await zarr.finish();
const parallel = openParallel("big.zarr", { threads: 2 });
const read = await parallel.read("/values", 1, rows);
assert.ok(read.length === rows - 1 && read.every((value, i) => value === i + 1));
await parallel.close();

const x = { nRows: 2, nCols: 2, indptr: [0, 1, 2], indices: [0, 1], data: [1, 2] };
const csr = {
  ...x,
  indptr: Float64Array.from(x.indptr),
  indices: Int32Array.from(x.indices),
  data: Float32Array.from(x.data),
};
const frame = (name) => ({ index: [`${name}1`, `${name}2`], columns: {} });
for (const path of ["small.h5ad", "small.zarr.zip"]) {
  await writeAnnData(path, { x: csr, obs: frame("cell"), var: frame("gene") });
  const report = await runIsolated(path, "validate", { profile: "counts" });
  assert.deepEqual([report.nObs, report.x?.nnz, report.problems], [2, 2, []]);
  const opened = await openAnnData(path);
  assert.deepEqual([...(await opened.x.toCsr()).data], [1, 2]);
  opened.close();
}

assert.deepEqual([...started].sort(), [
  "@cytomesh/anndata/dist/isolate-worker.js",
  "@cytomesh/hdf5/dist/fallback-worker.js",
  "@cytomesh/hdf5/dist/parallel/worker.js",
  "@cytomesh/zarr/dist/parallel-worker.js",
]);
