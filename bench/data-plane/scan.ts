// Both lists of every cell into typed arrays: our decoder, DuckDB's node API (its vectors viewed as typed arrays, the fastest way it has), and
// pyarrow, all from the same files and once from files that DuckDB wrote itself (zstd, version 2).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBDataChunk, DuckDBInstance } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import { openIngest, scanMatrix } from "../../packages/omics-store/src/index.ts";
import { ingestStudy } from "./ingested.ts";
import { measure, measurePython, printCosts } from "./measure.ts";
import { small, syntheticStudy } from "./study.ts";

/** Sums, so that every side is seen to have read the same. */
interface Sums {
  nnz: number;
  ids: number;
  counts: number;
}

function sumOf(values: Int32Array): number {
  // Four sums: one would wait for the addition before it.
  let [a, b, c, d] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 4 <= values.length; i += 4) {
    a += values[i]!;
    b += values[i + 1]!;
    c += values[i + 2]!;
    d += values[i + 3]!;
  }
  for (; i < values.length; i++) a += values[i]!;
  return a + b + c + d;
}

async function ours(dir: string, look: boolean): Promise<Sums> {
  const sums = { nnz: 0, ids: 0, counts: 0 };
  await scanMatrix(dir, ({ featureIds, counts }) => {
    sums.nnz += featureIds.length;
    if (!look) return;
    sums.ids += sumOf(featureIds);
    sums.counts += sumOf(counts as Int32Array);
  });
  return sums;
}

const child = (chunk: DuckDBDataChunk, column: number): Int32Array => {
  const vector = duckdb.data_chunk_get_vector(chunk.chunk, column);
  const length = duckdb.list_vector_get_size(vector);
  if (length === 0) return new Int32Array(0);
  const bytes = duckdb.vector_get_data(duckdb.list_vector_get_child(vector), length * 4);
  return new Int32Array(bytes.buffer, bytes.byteOffset, length);
};

async function duck(paths: readonly string[], look: boolean): Promise<Sums> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
  const connection = await instance.connect();
  await connection.run("SET preserve_insertion_order = false");
  const list = paths.map((path) => `'${path}'`).join(", ");
  const result = await connection.stream(`SELECT feature_ids, counts FROM read_parquet([${list}])`);
  const sums = { nnz: 0, ids: 0, counts: 0 };
  for (
    let chunk = await result.fetchChunk();
    chunk && chunk.rowCount > 0;
    chunk = await result.fetchChunk()
  ) {
    const [ids, counts] = [child(chunk, 0), child(chunk, 1)];
    sums.nnz += ids.length;
    if (look) {
      sums.ids += sumOf(ids);
      sums.counts += sumOf(counts);
    }
    if (chunk.rowCount < 0) break;
  }
  connection.closeSync();
  instance.closeSync();
  return sums;
}

const arrow = `
import pyarrow.parquet as pq, numpy as np
def work():
    nnz = 0
    for path in sys.argv[1:]:
        file = pq.ParquetFile(path)
        for i in range(file.metadata.num_row_groups):
            table = file.read_row_group(i, columns=["feature_ids", "counts"])
            for name in ("feature_ids", "counts"):
                for chunk in table.column(name).chunks:
                    values = np.asarray(chunk.flatten())
                    nnz += len(values) if name == "counts" else 0
    return nnz
measure(work)
`;

const study = syntheticStudy();
const root = await mkdtemp(join(tmpdir(), "bench-scan-"));
try {
  const dir = await ingestStudy(study.files.raw, root);
  const { manifest } = await openIngest(dir);
  const paths = manifest.files
    .filter(({ name }) => name.startsWith("cells-"))
    .map(({ name }) => join(dir, name));
  const own = join(root, "duckdb.parquet");
  const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT feature_ids, counts FROM read_parquet([${paths.map((p) => `'${p}'`).join(", ")}])) TO '${own}' (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE 4096)`,
  );
  connection.closeSync();
  instance.closeSync();
  const check = [await ours(dir, true), await duck(paths, true)];
  if (JSON.stringify(check[0]) !== JSON.stringify(check[1]))
    throw new Error(`the sides disagree: ${JSON.stringify(check)}`);
  const sides = {
    "cytomesh scanMatrix": await measure(() => ours(dir, false)),
    "DuckDB, the same files": await measure(() => duck(paths, false)),
    "DuckDB, its own file": await measure(() => duck([own], false)),
    "pyarrow, the same files": measurePython<number>(arrow, paths),
  };
  const nnz = manifest.nnz;
  printCosts(
    `scan ${study.cells} cells, ${nnz} counts (${(small ? "small; " : "") + ((2 * nnz) / sides["cytomesh scanMatrix"].cpuS / 1e6).toFixed(0)} M values/s per cpu second)`,
    sides,
    "DuckDB, its own file",
  );
} finally {
  await rm(root, { recursive: true, force: true });
}
