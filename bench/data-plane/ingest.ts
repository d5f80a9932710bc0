// .h5ad → warehouse, through the service's own path (hash, vet, convert in its pool, publish to a folder), without a network. Against Python:
// reading the file alone, and reading it and writing the same lists with pyarrow. The conversion is also measured alone, five times with the
// same threads, and the median printed: what a job of several files comes to.
//
//   node bench/data-plane/ingest.ts [--small] [--csc]
//
// `--csc`: the matrix by column, which has to be turned round; Python does so in memory.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepCompiledCode } from "../../packages/service-kit/src/index.ts";
import { convertStudy, ingestPool, ingestThroughService, threads } from "./ingested.ts";
import { measure, measurePython, printCosts } from "./measure.ts";
import { byColumnFile, small, syntheticStudy } from "./study.ts";

const study = syntheticStudy();
// As every service does; the first of two runs fills it.
keepCompiledCode(join(tmpdir(), "cytomesh-bench", "compiled"));
const root = await mkdtemp(join(tmpdir(), "bench-ingest-"));

const pyarrowPipeline = `
import anndata, numpy as np, pyarrow as pa, pyarrow.parquet as pq
def work():
    adata = anndata.read_h5ad(sys.argv[1])
    x = adata.X.tocsr()
    ids = pa.array(np.arange(adata.n_obs, dtype=np.int64))
    counts = pa.array(x.data.astype(np.int32))
    lists = [pa.ListArray.from_arrays(pa.array(x.indptr.astype(np.int32)), values) for values in (pa.array(x.indices), counts)]
    obs = pa.Table.from_pandas(adata.obs.reset_index(names="original_cell_id"), preserve_index=False)
    totals = pa.array(np.asarray(x.sum(axis=1)).ravel().astype(np.float64))
    table = obs.append_column("cell_id", ids).append_column("n_counts", totals)
    table = table.append_column("feature_ids", lists[0]).append_column("counts", lists[1])
    encoding = {f"{name}.list.element": "DELTA_BINARY_PACKED" for name in ("feature_ids", "counts")}
    dictionary = [f.name for f in obs.schema if pa.types.is_dictionary(f.type) or pa.types.is_string(f.type)]
    pq.write_table(table, sys.argv[2], row_group_size=4096, compression="none", use_dictionary=dictionary, column_encoding=encoding)
    return int(x.data.sum(dtype="float64"))
measure(work, times=1)
`;
const readOnly = `
import anndata
def work():
    return int(anndata.read_h5ad(sys.argv[1]).X.data.sum(dtype="float64"))
measure(work, times=1)
`;

const byColumn = process.argv.includes("--csc");
/** A matrix by column is measured less often: it takes longer. */
const [ingests, timedConversions] = byColumn ? [1, 3] : [small ? 1 : 3, 5];

/** Seconds of some conversions after one to warm up. */
async function conversions(path: string, kind: string): Promise<number[]> {
  const pool = ingestPool();
  const seconds: number[] = [];
  try {
    for (let i = 0; i <= timedConversions; i++) {
      const outDir = join(root, `${kind}-alone`);
      const start = performance.now();
      await convertStudy(pool, path, outDir);
      if (i > 0) seconds.push((performance.now() - start) / 1e3);
      await rm(outDir, { recursive: true });
    }
  } finally {
    await pool.close();
  }
  return seconds;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

try {
  const { gzip, raw } = study.files;
  const files = byColumn ? { csc: byColumnFile(study) } : small ? { gzip } : { gzip, raw };
  for (const [kind, path] of Object.entries(files)) {
    let run = 0;
    const ours = await measure(() => ingestThroughService(path, join(root, `${kind}-${run++}`)), ingests);
    const alone = await conversions(path, kind);
    const reading = measurePython<number>(readOnly, [path]);
    const pipeline = measurePython<number>(pyarrowPipeline, [path, join(root, `${kind}.parquet`)]);
    printCosts(
      `${kind} ${study.cells} x ${study.genes} → Parquet (${(study.cells / ours.wallS).toFixed(0)} cells/s with ${threads} threads, ${(study.cells / ours.cpuS).toFixed(0)} per cpu second)`,
      { "cytomesh ingest": ours, "anndata.read_h5ad alone": reading, "anndata + pyarrow": pipeline },
      "anndata + pyarrow",
    );
    const rates = alone.map((seconds) => study.cells / seconds);
    console.log(
      `  conversion alone, by the same threads: ${median(rates).toFixed(0)} cells/s (${rates.map((rate) => rate.toFixed(0)).join(", ")})`,
    );
    if (reading.result !== pipeline.result) throw new Error("the two Python sides disagree");
  }
} finally {
  await rm(root, { recursive: true, force: true });
}
