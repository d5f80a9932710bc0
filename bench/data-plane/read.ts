// All of X of a study into memory: packages/hdf5 in two threads, against h5py and against anndata.read_h5ad (which reads obs, var and
// the rest too; X is nearly all of it). Every side in a process of its own, so that peaks are its own.
//
//   node bench/data-plane/read.ts [--small]
import assert from "node:assert/strict";
import { type H5Reader, openH5, readBatches, readParallel } from "@cytomesh/hdf5";
import { type Cost, childArguments, measure, measureNode, measurePython, printCosts } from "./measure.ts";
import { syntheticStudy } from "./study.ts";

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

const child = childArguments();
if (child !== undefined) {
  const [how, path] = child;
  console.log(JSON.stringify(await (how === "whole" ? readWhole(path!) : readStream(path!))));
} else {
  const study = syntheticStudy();
  console.log(`${study.cells} cells x ${study.genes} genes, ${threads} threads; best of three runs each`);
  for (const [name, path] of Object.entries(study.files)) {
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
