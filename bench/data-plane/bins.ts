// 50,000 cells → five random bins of 10,000 as compressed .h5ad: prepared and extracted as the service does, from the warehouse, against
// anndata doing the same from the .h5ad with its gzip.
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CurriculumManifest, readIngestFeatures } from "../../packages/omics-store/src/index.ts";
import { createTaskPool } from "../../packages/service-kit/src/index.ts";
import { writeBins } from "../../services/extract/src/services/write-bins.ts";
import { ingestStudy } from "./ingested.ts";
import { measure, measurePython, printCosts } from "./measure.ts";
import { small, syntheticStudy } from "./study.ts";

const anndata = `
import anndata, numpy as np, os
def work():
    adata = anndata.read_h5ad(sys.argv[1])
    order = np.random.default_rng(0).permutation(adata.n_obs)
    size = int(sys.argv[3])
    for i in range(0, adata.n_obs, size):
        adata[order[i : i + size]].copy().write_h5ad(os.path.join(sys.argv[2], f"{i}.h5ad"), compression="gzip")
    return sum(os.path.getsize(os.path.join(sys.argv[2], f)) for f in os.listdir(sys.argv[2]))
measure(work, times=1)
`;
const check = `
import anndata, os
def work():
    sums = [anndata.read_h5ad(os.path.join(sys.argv[1], f)).X.data.sum(dtype="float64") for f in os.listdir(sys.argv[1]) if f.endswith(".h5ad")]
    return float(sum(sums))
measure(work, times=1)
`;

const threads = 2;
const study = syntheticStudy();
const binSize = Math.ceil(study.cells / 5);
const root = await mkdtemp(join(tmpdir(), "bench-bins-"));
try {
  const dir = await ingestStudy(study.files.raw, root);
  const features = await readIngestFeatures(dir);
  const pool = createTaskPool(new URL("../../services/extract/src/services/tasks.ts", import.meta.url), {
    threads,
  });
  let run = 0;
  const extract = async (): Promise<string> => {
    const outDir = join(root, `run-${run++}`);
    await mkdir(outDir);
    const request = { filters: {}, features, binSize, seed: 0, obsColumns: ["n_counts"] };
    const curriculumDir = join(outDir, "curriculum");
    const { bins } = await pool.run<CurriculumManifest>("prepare", {
      ingestDirs: [dir],
      outDir: curriculumDir,
      request,
    });
    await writeBins(pool, {
      ingestDirs: [dir],
      curriculumDir,
      features,
      bins: bins.map((b) => b.bin),
      outDir,
      memoryBytes: 1024 ** 3,
      lineage: { curriculum: "bench", manifestSha256: "0".repeat(64), seed: 0 },
    });
    return outDir;
  };
  const ours = await measure(extract, small ? 1 : 2);
  await pool.close();
  const pythonDir = join(root, "python");
  await mkdir(pythonDir);
  const python = measurePython<number>(anndata, [study.files.gzip, pythonDir, String(binSize)]);
  printCosts(
    `${study.cells} cells → 5 random bins of ${binSize} as .h5ad, ${threads} threads`,
    { "cytomesh prepare + extract": ours, "anndata gzip": python },
    "anndata gzip",
  );
  const totals = [ours.result, pythonDir].map((at) => measurePython<number>(check, [at]).result);
  if (totals[0] !== totals[1]) throw new Error(`the bins' counts disagree: ${totals.join(", ")}`);
  console.log(
    `  ${(await readdir(ours.result)).filter((f) => f.endsWith(".h5ad")).length} bins, counts equal in sum, read by anndata`,
  );
} finally {
  await rm(root, { recursive: true, force: true });
}
