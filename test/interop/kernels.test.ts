import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import {
  addRows,
  addRowsToGram,
  buildPcaOnnx,
  type CsrRowsLike,
  createOnnxRunner,
  emptyGram,
  emptyMoments,
  finalizePca,
  log1pInPlace,
  normalizeTotal,
  type PcaScale,
  selectHighlyVariable,
  totalsOf,
} from "../../packages/kernels/src/index.ts";

// Kernels against scanpy, scikit-learn and onnx. Needs a Python with them, named by CYTOMESH_PYTHON.
const python = process.env.CYTOMESH_PYTHON;
const root = join(import.meta.dirname, "..", "..");
const data = process.env.CYTOMESH_TEST_DATA ?? join(root, "..", "shared", "data");
const script = join(import.meta.dirname, "kernels.py");

interface Verdict {
  readonly selected: number[];
  readonly pca: { variance: number; varianceRatio: number; projector: number }[];
  readonly onnx: ({ metadata: string; runtimes: number; exact: number } | null)[];
}

async function runPython<T>(...args: string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(python!, [script, ...args], { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout) as T;
}

async function workspace(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "interop-kernels-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Deterministic counts of three cell groups; some genes are silent, some are constant noise. */
function syntheticCounts(nRows: number, nCols: number): CsrRowsLike {
  let state = 12345;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 8) + 0.5) / 2 ** 24;
  };
  const rates = Array.from({ length: 3 * nCols }, (_, i) => (i % 17 === 0 ? 0 : Math.exp(3 * uniform() - 2)));
  const indptr = new Float64Array(nRows + 1);
  const indices: number[] = [];
  const values: number[] = [];
  for (let row = 0; row < nRows; row++) {
    const group = (row % 3) * nCols;
    for (let column = 0; column < nCols; column++) {
      const count = Math.floor(-Math.log(uniform()) * rates[group + column]!);
      if (count === 0) continue;
      indices.push(column);
      values.push(count);
    }
    indptr[row + 1] = indices.length;
  }
  return { nRows, nCols, indptr, indices: Int32Array.from(indices), data: Float32Array.from(values) };
}

async function writeArray(
  dir: string,
  name: string,
  array: Float32Array | Float64Array | Int32Array,
): Promise<void> {
  await writeFile(join(dir, name), new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
}

/** Fits in blocks, writes what the oracle needs, and asserts that it agrees. */
async function check(dir: string, counts: CsrRowsLike, nTop: number, nComponents: number): Promise<void> {
  const totals = totalsOf(counts);
  const normalized = normalizeTotal(counts, totals);
  const moments = emptyMoments(counts.nCols);
  for (const [first, end] of blocks(counts.nRows)) addRows(moments, rowRange(normalized, first, end));
  const selected = selectHighlyVariable({ normalized: moments, nTop, method: "seurat" });
  log1pInPlace(normalized.data);
  const columnMap = new Int32Array(counts.nCols).fill(-1);
  selected.forEach((column, position) => {
    columnMap[column] = position;
  });
  const state = emptyGram(selected.length);
  for (const [first, end] of blocks(counts.nRows)) {
    addRowsToGram(state, rowRange(normalized, first, end), columnMap);
  }
  const scales: PcaScale[] = ["none", "unit-variance"];
  const models = [];
  for (const scale of scales) {
    const model = finalizePca(state, { nComponents, scale });
    const featureIds = Array.from({ length: counts.nCols }, (_, i) => `gene-${i}`);
    const bytes = buildPcaOnnx({ ...model, featureIds, selected, targetSum: 10_000, metadata: {} });
    const runner = await createOnnxRunner(bytes, { threads: 1 });
    await writeFile(join(dir, `model-${scale}.onnx`), bytes);
    await writeArray(dir, `embedding-${scale}`, await runner.embedRows(counts, totals));
    await runner.close();
    await writeArray(dir, `components-${scale}`, model.components);
    const explainedVariance = [...model.explainedVariance];
    models.push({
      scale,
      nComponents,
      explainedVariance,
      explainedVarianceRatio: [...model.explainedVarianceRatio],
    });
  }
  const { nRows, nCols } = counts;
  await writeFile(
    join(dir, "request.json"),
    JSON.stringify({ nRows, nCols, nTop, selected: [...selected], models }),
  );
  const verdict = await runPython<Verdict>("compare", dir);
  assert.deepEqual([...selected], verdict.selected, "highly variable genes are those of scanpy");
  for (const { variance, varianceRatio, projector } of verdict.pca) {
    assert.ok(variance < 1e-7, `explained variance differs by ${variance}`);
    assert.ok(varianceRatio < 1e-8, `its ratio differs by ${varianceRatio}`);
    assert.ok(projector < 1e-6, `projectors differ by ${projector}`);
  }
  for (const onnx of verdict.onnx) {
    if (!onnx) continue;
    assert.equal(onnx.metadata, "pca-embedding");
    assert.ok(onnx.runtimes < 1e-5, `the two runtimes differ by ${onnx.runtimes}`);
    assert.ok(onnx.exact < 1e-4, `the model differs from float64 by ${onnx.exact}`);
  }
}

function* blocks(nRows: number): Generator<[number, number]> {
  for (let first = 0; first < nRows; first += 64) yield [first, Math.min(first + 64, nRows)];
}

function rowRange(rows: CsrRowsLike, first: number, end: number): CsrRowsLike {
  return { ...rows, nRows: end - first, indptr: rows.indptr.slice(first, end + 1) };
}

test("synthetic counts: gene selection, components and model agree with the Python stack", async (t) => {
  if (!python) return t.skip("CYTOMESH_PYTHON is not set");
  const dir = await workspace(t);
  const counts = syntheticCounts(400, 600);
  await writeArray(dir, "indptr", counts.indptr);
  await writeArray(dir, "indices", counts.indices);
  await writeArray(dir, "data", counts.data);
  await check(dir, counts, 150, 10);
});

for (const file of ["cellarium_100x18082_ensembl.h5ad", "cellxgene_220x18357.h5ad"]) {
  test(`real counts of ${file}: gene selection, components and model agree with the Python stack`, async (t) => {
    if (!python) return t.skip("CYTOMESH_PYTHON is not set");
    const source = join(data, "omics", file);
    if (!existsSync(source)) return t.skip("shared data not present");
    const dir = await workspace(t);
    const { nRows, nCols } = await runPython<{ nRows: number; nCols: number }>("load", source, dir);
    const read = async (name: string) => new Uint8Array(await readFile(join(dir, name))).buffer;
    const counts: CsrRowsLike = {
      nRows,
      nCols,
      indptr: new Float64Array(await read("indptr")),
      indices: new Int32Array(await read("indices")),
      data: new Float32Array(await read("data")),
    };
    await check(dir, counts, 1000, 20);
  });
}
