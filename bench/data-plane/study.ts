import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

const densify = `
import anndata, h5py, os, sys
source, target, cells, genes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if not os.path.exists(target):
    some = anndata.read_h5ad(source, backed="r")[:cells].to_memory()
    order = some.X.getnnz(axis=0).argsort(kind="stable")[::-1][:genes]
    some = some[:, order].copy()
    some.X = some.X.toarray()
    some.write_h5ad(target + ".part", compression="gzip")
    os.rename(target + ".part", target)
`;

/** The first `cells` cells of a study and its `genes` most seen genes as a dense float32 matrix, as Python's anndata writes it with gzip. */
export function denseFile(study: Study, cells: number, genes: number): string {
  const path = join(dirname(study.files.raw), `dense-${cells}x${genes}.h5ad`);
  execFileSync(python(), ["-c", densify, study.files.raw, path, String(cells), String(genes)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return path;
}

const turn = `
import anndata, os, sys
source, target = sys.argv[1:]
if not os.path.exists(target):
    adata = anndata.read_h5ad(source)
    adata.X = adata.X.tocsc()
    adata.write_h5ad(target + ".part", compression="gzip")
    os.rename(target + ".part", target)
`;

/** The study with its matrix by column, as Python's anndata writes it with gzip. */
export function byColumnFile(study: Study): string {
  const path = join(dirname(study.files.raw), "csc-gzip.h5ad");
  execFileSync(python(), ["-c", turn, study.files.raw, path], { stdio: ["ignore", "ignore", "inherit"] });
  return path;
}

/** The same study of counts, written by Python's anndata three times. */
export interface Study {
  cells: number;
  genes: number;
  /** Files by how their matrix is stored. */
  files: { gzip: string; lzf: string; raw: string };
}

/** `--small`: 5,000 cells, a look in seconds; otherwise the 50,000 cells that the targets speak of. */
export const small = process.argv.includes("--small");

/** The interpreter with the peers: `CYTOMESH_PYTHON=$(scripts/ci/python-venv.sh)`. */
export function python(): string {
  const path = process.env.CYTOMESH_PYTHON;
  if (path === undefined) throw new Error("set CYTOMESH_PYTHON=$(scripts/ci/python-venv.sh)");
  return path;
}

/** `--file PATH`: a real .h5ad in place of the synthetic study, rewritten with each compression by Python's anndata. */
const real = process.argv.includes("--file") ? process.argv[process.argv.indexOf("--file") + 1] : undefined;

const rewrite = `
import anndata, json, os, sys, scipy.sparse as sp
adata = anndata.read_h5ad(sys.argv[1])
adata.X = sp.csr_matrix(adata.X)
os.makedirs(sys.argv[2], exist_ok=True)
files = {}
for name, how in (("gzip", "gzip"), ("lzf", "lzf"), ("raw", None)):
    files[name] = os.path.join(sys.argv[2], f"{name}.h5ad")
    if not os.path.exists(files[name]):
        adata.write_h5ad(files[name] + ".part", compression=how)
        os.rename(files[name] + ".part", files[name])
print(json.dumps({"cells": adata.n_obs, "genes": adata.n_vars, "files": files}))
`;

function realStudy(path: string, home: string): Study {
  const folder = join(home, `file-${basename(path)}`);
  const printed = execFileSync(python(), ["-c", rewrite, path, folder], {
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 20,
  });
  return JSON.parse(printed.toString()) as Study;
}

/**
 * Counts of `cells` x `genes` with about 2,060 values per cell, 69 % of them 1. Made by the first run (about two minutes for 50,000
 * cells, 1.6 GB) and kept in `CYTOMESH_BENCH_DATA`, by default a folder of the temporary directory.
 */
export function syntheticStudy(cells = small ? 5_000 : 50_000, genes = 36_000): Study {
  const [nnzPerCell, seed] = [2_060, 1];
  const home = process.env.CYTOMESH_BENCH_DATA ?? join(tmpdir(), "cytomesh-bench");
  if (real !== undefined) return realStudy(real, home);
  const folder = join(home, `study-${cells}x${genes}-${nnzPerCell}-${seed}`);
  const script = join(import.meta.dirname, "generate.py");
  const numbers = [cells, genes, nnzPerCell, seed].map(String);
  const printed = execFileSync(python(), [script, folder, ...numbers], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { cells, genes, files: JSON.parse(printed.toString()) as Study["files"] };
}
