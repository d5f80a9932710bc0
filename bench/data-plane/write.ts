// The counts of 10,000 cells to a compressed file: packages/hdf5 in two threads, fed with batches of 1,000 rows; anndata as it does by
// default (gzip level 4, no shuffle); and h5py tuned by hand (shuffle, gzip level 1), which is the honest floor.
//
//   node bench/data-plane/write.ts [--small]
import { rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createH5, type H5Type, openH5 } from "@cytomesh/hdf5";
import { type Cost, childArguments, measure, measureNode, measurePython, printCosts } from "./measure.ts";
import { small, syntheticStudy } from "./study.ts";

const threads = 2;
const cells = small ? 2_000 : 10_000;
const batchRows = 1_000;
const runs = 3;

interface Csr {
  data: Float32Array;
  indices: Int32Array;
  indptr: Int32Array;
}

async function firstRows(path: string): Promise<Csr> {
  const file = await openH5(path);
  const read = (name: string, end: number) => file.read(file.dataset(`/X/${name}`), 0, end);
  const indptr = Int32Array.from(read("indptr", cells + 1) as ArrayLike<number>, Number);
  const nnz = indptr[cells]!;
  const rows = {
    data: read("data", nnz) as Float32Array,
    indices: read("indices", nnz) as Int32Array,
    indptr,
  };
  file.close();
  return rows;
}

function write(path: string, { data, indices, indptr }: Csr, genes: number): void {
  const float32: H5Type = { kind: "float", size: 4 };
  const int32: H5Type = { kind: "int", size: 4, signed: true };
  const deflate = { level: 1 };
  const out = createH5(path, { threads });
  out.group("/X");
  out.attribute("/X", "encoding-type", "csr_matrix");
  out.attribute("/X", "encoding-version", "0.1.0");
  const shape = BigInt64Array.of(BigInt(cells), BigInt(genes));
  out.attribute("/X", "shape", { type: { kind: "int", size: 8, signed: true }, shape: [2], values: shape });
  const [x, columns] = [
    out.appendable("/X/data", { type: float32, shape: [0], deflate }),
    out.appendable("/X/indices", { type: int32, shape: [0], deflate }),
  ];
  for (let row = 0; row < cells; row += batchRows) {
    const [from, to] = [indptr[row]!, indptr[Math.min(cells, row + batchRows)]!];
    x.append(data.subarray(from, to));
    columns.append(indices.subarray(from, to));
  }
  out.dataset("/X/indptr", { type: int32, shape: [indptr.length], deflate }, indptr);
  out.finish();
}

/** `sys.argv`: the study, cells, where to write. Reading is outside the clock. */
const preparation = `
import h5py, numpy as np, scipy.sparse as sp, anndata, os
path, cells, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with h5py.File(path) as f:
    genes = int(f["X"].attrs["shape"][1])
    indptr = f["X/indptr"][: cells + 1]
    data, indices = (f["X/" + name][: indptr[-1]] for name in ("data", "indices"))
x = sp.csr_matrix((data, indices, indptr.astype(np.int32)), shape=(cells, genes))
`;
const anndata = `${preparation}
study = anndata.AnnData(X=x)
measure(lambda: study.write_h5ad(out, compression="gzip"), ${runs}, lambda: os.path.getsize(out))
`;
const h5py = `${preparation}
def work():
    with h5py.File(out, "w") as f:
        for name in ("data", "indices", "indptr"):
            f.create_dataset("X/" + name, data=getattr(x, name), shuffle=True, compression="gzip", compression_opts=1)
measure(work, ${runs}, lambda: os.path.getsize(out))
`;
const comparison = `${preparation}
with h5py.File(out) as f:
    assert tuple(f["X"].attrs["shape"]) == x.shape
    for name in ("data", "indices", "indptr"):
        found = f["X/" + name][:]
        assert found.dtype == getattr(x, name).dtype and (found == getattr(x, name)).all(), name
    y = anndata.io.read_elem(f["X"])
    assert (y != x).nnz == 0
measure(lambda: True, 1)
`;

const child = childArguments();
if (child !== undefined) {
  const [study, genes, out] = child;
  const rows = await firstRows(study!);
  const cost = await measure(() => write(out!, rows, Number(genes)), runs);
  console.log(JSON.stringify({ ...cost, result: statSync(out!).size }));
} else {
  const study = syntheticStudy();
  const path = (name: string) => join(tmpdir(), `cytomesh-bench-${process.pid}-${name}.h5ad`);
  const args = (name: string) => [study.files.raw, String(cells), path(name)];
  try {
    const ours = measureNode<number>(import.meta.filename, [
      study.files.raw,
      String(study.genes),
      path("ours"),
    ]);
    const sides: Record<string, Cost & { result: number }> = {
      "anndata, gzip level 4": measurePython<number>(anndata, args("anndata")),
      "h5py, shuffle + gzip level 1": measurePython<number>(h5py, args("h5py")),
      "@cytomesh/hdf5, level 1": ours,
    };
    // h5py and anndata must read from our file what we were given.
    measurePython<boolean>(comparison, args("ours"));
    printCosts(
      `${cells} cells x ${study.genes} genes, ${threads} threads; best of ${runs} runs each`,
      sides,
      "anndata, gzip level 4",
    );
    for (const [name, { result }] of Object.entries(sides)) {
      console.log(`  ${name.padEnd(34)} ${(result / 1e6).toFixed(1)} MB`);
    }
  } finally {
    for (const name of ["ours", "anndata", "h5py"]) rmSync(path(name), { force: true });
  }
}
