// Zarr against Python: node bench/data-plane/zarr.ts [--small]
//
// Reading X to memory (data, indices, indptr) as anndata stores it by default: v2 with blosc-lz4, v3 with zstd. Writing zarr v3 from .h5ad,
// both sides reading the same file first.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { copyAnnData } from "@cytomesh/anndata";
import { openParallel, openZarr } from "@cytomesh/zarr";
import { measure, measurePython, printCosts } from "./measure.ts";
import { small, syntheticStudy } from "./study.ts";

const study = syntheticStudy();
const folder = join(dirname(study.files.raw), "zarr");
const parts = ["data", "indices", "indptr"];

/** Sums are enough: the interop tests compare every value. */
function sum(arrays: readonly ArrayLike<number>[]): number {
  let total = 0;
  for (const array of arrays) for (let i = 0; i < array.length; i++) total += Number(array[i]);
  return total;
}

function stored(version: 2 | 3): string {
  const path = join(folder, `v${version}.zarr`);
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const code = `
import anndata, warnings
warnings.filterwarnings("ignore")
anndata.settings.zarr_write_format = ${version}
a = anndata.read_h5ad(sys.argv[1])
measure(lambda: a.write_zarr(sys.argv[2]), 1)`;
    measurePython(code, [study.files.raw, path]);
  }
  return path;
}

for (const version of [2, 3] as const) {
  const path = stored(version);
  const sums: number[] = [];
  const one = await measure(() => {
    const reader = openZarr(path);
    const arrays = parts.map((name) => reader.read(`/X/${name}`) as Float32Array);
    reader.close();
    return arrays;
  });
  sums.push(sum(one.result));
  const threads = openParallel(path);
  const all = await measure(async () => {
    const arrays = [];
    for (const name of parts) arrays.push((await threads.read(`/X/${name}`)) as Float32Array);
    return arrays;
  });
  await threads.close();
  sums.push(sum(all.result));
  const load = `
import warnings, zarr
warnings.filterwarnings("ignore")
group = zarr.open_group(sys.argv[1], mode="r")
def read():
    return [group["X/" + name][...] for name in ("data", "indices", "indptr")]
`;
  const theirs = measurePython(`${load}\nmeasure(lambda: len(read()))`, [path]);
  const total = measurePython<number>(
    `${load}\nmeasure(lambda: float(sum(a.astype("f8").sum() for a in read())), 1)`,
    [path],
  );
  sums.push(total.result);
  if (new Set(sums).size !== 1) throw new Error(`${path}: sums ${sums} differ`);
  console.log(`sum of all values: ${sums[0]}`);
  printCosts(
    `read X of zarr v${version}, ${study.cells} cells`,
    { "zarr-python": theirs, "one thread": one, threads: all },
    "zarr-python",
  );
}

const target = join(folder, "ours.zarr");
const ours = await measure(() => copyAnnData(study.files.raw, target), small ? 3 : 1);
const theirs = measurePython(
  `
import anndata, shutil, warnings
warnings.filterwarnings("ignore")
anndata.settings.zarr_write_format = 3
def write():
    shutil.rmtree(sys.argv[2], ignore_errors=True)
    anndata.read_h5ad(sys.argv[1]).write_zarr(sys.argv[2])
measure(write, ${small ? 3 : 1})`,
  [study.files.raw, join(folder, "theirs.zarr")],
);
printCosts(".h5ad (raw) to zarr v3", { anndata: theirs, copyAnnData: ours }, "anndata");
for (const name of ["ours.zarr", "theirs.zarr"]) rmSync(join(folder, name), { recursive: true, force: true });
