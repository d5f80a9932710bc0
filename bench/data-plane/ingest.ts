// .h5ad → warehouse, through the service's own path (hash, vet, convert in its pool, publish to a folder), without a network. Against Python:
// reading the file alone, and reading it and writing the same lists with pyarrow.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { profileOf } from "@cytomesh/anndata";
import { createObjectStore, toUri } from "../../packages/object-store/src/index.ts";
import { openIngest } from "../../packages/omics-store/src/index.ts";
import { createTaskPool, keepCompiledCode } from "../../packages/service-kit/src/index.ts";
import { ingestFile } from "../../services/ingest/src/services/ingest-file.ts";
import { fakeCatalog } from "../../services/ingest/src/testing/fake-catalog.ts";
import { plainOptions } from "./ingested.ts";
import { measure, measurePython, printCosts } from "./measure.ts";
import { small, syntheticStudy } from "./study.ts";

const threads = 2;
const study = syntheticStudy();
// As every service does; the first of two runs fills it.
keepCompiledCode(join(tmpdir(), "cytomesh-bench", "compiled"));
const root = await mkdtemp(join(tmpdir(), "bench-ingest-"));

const pyarrowPipeline = `
import anndata, numpy as np, pyarrow as pa, pyarrow.parquet as pq
def work():
    adata = anndata.read_h5ad(sys.argv[1])
    x = adata.X
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

async function ingest(path: string, name: string): Promise<number> {
  const dir = join(root, name);
  await mkdir(join(dir, "tmp"), { recursive: true });
  const store = createObjectStore();
  const pool = createTaskPool(new URL("../../services/ingest/src/services/tasks.ts", import.meta.url), {
    threads,
  });
  const { catalog } = fakeCatalog();
  await catalog.ensureDataset("d");
  try {
    const outcome = await ingestFile(
      {
        store,
        storeUri: toUri(dir),
        tempDir: join(dir, "tmp"),
        catalog,
        pool,
        readerTimeoutMs: 120_000,
        encoding: "delta",
      },
      {
        uri: toUri(path),
        dataset: "d",
        options: plainOptions,
        vetting: { profile: profileOf("minimal"), asked: false, everyValue: false },
        validateOnly: false,
        jobId: "j",
        tag: "",
        signal: new AbortController().signal,
        onCells: () => undefined,
      },
    );
    const { manifest } = await openIngest(join(dir, "datasets", "d", "ingests", outcome.ingestId));
    return manifest.nnz;
  } finally {
    await pool.close();
    await store.close();
  }
}

try {
  const kinds = small ? (["gzip"] as const) : (["gzip", "raw"] as const);
  for (const kind of kinds) {
    const path = study.files[kind];
    let run = 0;
    const ours = await measure(() => ingest(path, `${kind}-${run++}`), small ? 1 : 2);
    const reading = measurePython<number>(readOnly, [path]);
    const pipeline = measurePython<number>(pyarrowPipeline, [path, join(root, `${kind}.parquet`)]);
    printCosts(
      `${kind} ${study.cells} x ${study.genes} → Parquet (${(study.cells / ours.wallS).toFixed(0)} cells/s with ${threads} threads, ${(study.cells / ours.cpuS).toFixed(0)} per cpu second)`,
      { "cytomesh ingest": ours, "anndata.read_h5ad alone": reading, "anndata + pyarrow": pipeline },
      "anndata + pyarrow",
    );
    if (reading.result !== pipeline.result) throw new Error("the two Python sides disagree");
  }
} finally {
  await rm(root, { recursive: true, force: true });
}
