// All of X of a study into memory: packages/hdf5 in two threads, against h5py and against anndata.read_h5ad (which reads obs, var and
// the rest too; X is nearly all of it). Then a dense X (the most seen genes of some cells, gzip): as it stands, and as CSR rows, which is
// what packages/anndata gives. Every side in a process of its own, so that peaks are its own.
//
//   node bench/data-plane/read.ts [--small] [--dense]      --dense: that part alone
import assert from "node:assert/strict";
import { openAnnData } from "@cytomesh/anndata";
import { type H5Reader, openH5, readBatches, readParallel } from "@cytomesh/hdf5";
import { type Cost, childArguments, measure, measureNode, measurePython, printCosts } from "./measure.ts";
import { denseFile, small, syntheticStudy } from "./study.ts";

const threads = 2;

interface Sums {
  data: number;
  indices: number;
}

const total = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum;
};

/** Threads are started and code is compiled outside the clock, as Python's imports are. */
async function warmUp(file: H5Reader): Promise<void> {
  const end = Math.min(4_000_000, file.dataset("/X/indices").shape![0]!);
  await readParallel(file, "/X/indices", { threads, end });
}

/** Reads only; the sums are taken of the last run, outside the clock. */
async function readWhole(path: string): Promise<Cost & { result: Sums }> {
  const file = await openH5(path);
  await warmUp(file);
  let held: Record<"data" | "indices", ArrayLike<number>> | undefined;
  const cost = await measure(async () => {
    held = undefined;
    const data = (await readParallel(file, "/X/data", { threads })) as Float32Array;
    const indices = (await readParallel(file, "/X/indices", { threads })) as Int32Array;
    await readParallel(file, "/X/indptr", { threads });
    held = { data, indices };
  }, 1);
  file.close();
  return { ...cost, result: { data: total(held!.data), indices: total(held!.indices) } };
}

/** Batches of 32 MiB, each touched once: what a program does that does not need all of it at once. */
async function readStream(path: string): Promise<Cost & { result: Sums }> {
  const file = await openH5(path);
  await warmUp(file);
  const cost = await measure(async () => {
    const sums = { data: 0, indices: 0 };
    for (const name of ["data", "indices"] as const) {
      for await (const { values } of readBatches(file, `/X/${name}`, { threads })) {
        sums[name] += total(values as Float32Array | Int32Array);
      }
    }
    return sums;
  }, 1);
  file.close();
  return cost;
}

/** The dense matrix, with zeros. */
async function readDense(path: string): Promise<Cost & { result: number }> {
  const file = await openH5(path);
  await readParallel(file, "/X", { threads, end: 1_000 });
  let held: ArrayLike<number> = [];
  const cost = await measure(async () => {
    held = [];
    held = (await readParallel(file, "/X", { threads })) as Float32Array;
  }, 1);
  file.close();
  return { ...cost, result: total(held) };
}

/** The dense matrix as CSR rows, by two threads and row by row. */
async function readDenseRows(path: string, how: string): Promise<Cost & { result: number }> {
  using file = await openAnnData(path);
  const x = file.x!;
  x.rows(0, 200);
  let held: ArrayLike<number> = [];
  const cost = await measure(async () => {
    held = (how === "csr" ? await x.toCsr({ threads }) : x.rows(0, x.shape[0])).data;
    // The first of two starts the threads.
  }, 2);
  return { ...cost, result: total(held) };
}

const h5py = `
import h5py
def work():
    global x
    with h5py.File(sys.argv[1]) as f: x = [f["X/" + name][:] for name in ("data", "indices", "indptr")]
measure(work, 1, lambda: {"data": float(x[0].sum(dtype="f8")), "indices": float(x[1].sum(dtype="i8"))})
`;
const anndata = `
import anndata
def work():
    global x
    x = anndata.read_h5ad(sys.argv[1]).X
measure(work, 1, lambda: {"data": float(x.data.sum(dtype="f8")), "indices": float(x.indices.sum(dtype="i8"))})
`;

const h5pyDense = `
import h5py
def work():
    global x
    with h5py.File(sys.argv[1]) as f: x = f["X"][:]
measure(work, 1, lambda: float(x.sum(dtype="f8")))
`;
const scipyRows = `
import h5py, scipy.sparse as sp
def work():
    global x
    with h5py.File(sys.argv[1]) as f: x = sp.csr_matrix(f["X"][:])
measure(work, 1, lambda: float(x.data.sum(dtype="f8")))
`;

const child = childArguments();
if (child !== undefined) {
  const [how, path] = child;
  const sides: Record<string, (path: string) => Promise<unknown>> = {
    whole: readWhole,
    stream: readStream,
    dense: readDense,
  };
  console.log(JSON.stringify(await (sides[how!]?.(path!) ?? readDenseRows(path!, how!))));
} else {
  const study = syntheticStudy();
  console.log(`${study.cells} cells x ${study.genes} genes, ${threads} threads; best of three runs each`);
  const files = process.argv.includes("--dense") ? [] : Object.entries(study.files);
  for (const [name, path] of files) {
    const sides: Record<string, Cost & { result: Sums }> = {};
    // In turns, so that a busy machine is busy for all.
    for (let run = 0; run < 3; run++) {
      keepBest(sides, "h5py", measurePython<Sums>(h5py, [path]));
      keepBest(sides, "anndata.read_h5ad", measurePython<Sums>(anndata, [path]));
      keepBest(sides, "@cytomesh/hdf5 into memory", measureNode<Sums>(import.meta.filename, ["whole", path]));
      keepBest(
        sides,
        "@cytomesh/hdf5 batch by batch",
        measureNode<Sums>(import.meta.filename, ["stream", path]),
      );
    }
    for (const side of Object.values(sides)) assert.deepEqual(side.result, sides.h5py!.result);
    printCosts(name, sides, "h5py");
  }
  const [cells, genes] = small ? [2_000, 2_000] : [20_000, 4_000];
  const path = denseFile(study, cells, genes);
  const node = (how: string) => measureNode<number>(import.meta.filename, [how, path]);
  const whole: Record<string, Cost & { result: number }> = {};
  const rows: typeof whole = {};
  for (let run = 0; run < 3; run++) {
    keepBest(whole, "h5py", measurePython<number>(h5pyDense, [path]));
    keepBest(whole, "@cytomesh/hdf5 into memory", node("dense"));
    keepBest(rows, "h5py, scipy.sparse.csr_matrix", measurePython<number>(scipyRows, [path]));
    keepBest(rows, "@cytomesh/anndata, two threads", node("csr"));
    keepBest(rows, "@cytomesh/anndata, one thread", node("rows"));
  }
  for (const { result } of [...Object.values(whole), ...Object.values(rows)])
    assert.equal(result, whole.h5py!.result);
  printCosts(`dense gzip, ${cells} x ${genes} float32`, whole, "h5py");
  printCosts("the same as CSR rows", rows, "h5py, scipy.sparse.csr_matrix");
}

function keepBest<T extends Cost>(sides: Record<string, T>, name: string, cost: T): void {
  const before = sides[name];
  sides[name] =
    before === undefined
      ? cost
      : {
          ...before,
          wallS: Math.min(before.wallS, cost.wallS),
          cpuS: Math.min(before.cpuS, cost.cpuS),
          peakMiB: Math.max(before.peakMiB, cost.peakMiB),
        };
}
