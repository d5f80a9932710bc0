import { BIGINT, DuckDBDataChunk } from "@duckdb/node-api";
import { pickColumns, selectCells } from "./cell-query.ts";
import { type Duck, guarded, throwIfAborted } from "./duck.ts";
import { farmFingerprintIds } from "./fingerprint-ids.ts";
import type { Plan } from "./plan.ts";
import { sqlType } from "./store-columns.ts";
import { fillFixed, vectorOf, viewBigInts } from "./vectors.ts";

/** Table `selected`: cell_id, ingest_id, n_counts, nnz, and the wanted columns as w0, w1, …. */
export async function selectInto(duck: Duck, plan: Plan): Promise<void> {
  const fixed = pickColumns(["cell_id", "ingest_id", "n_counts", "nnz"], plan.columns, "");
  const all = [...fixed, ...plan.wanted];
  const names = ["cell_id", "ingest_id", "n_counts", "nnz", ...plan.wanted.map((_, i) => `w${i}`)];
  const declared = all.map((column, i) => `${names[i]} ${sqlType[column.type]}`);
  await duck.run(`CREATE TABLE selected (${declared.join(", ")})`);
  for (const ingest of plan.ingests) {
    const select = selectCells(ingest, all, plan.filters, plan.columns);
    await duck.run(`INSERT INTO selected ${select.sql}`, select.params);
  }
}

/** Table `fingers` (cell_id, finger). FarmHash is not in DuckDB, so ids come out and fingerprints go back, a vector at a time. */
export async function addFingerprints(
  duck: Duck,
  seed: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  await duck.run("CREATE TABLE fingers (cell_id BIGINT, finger BIGINT)");
  const ids = await guarded(signal, () => duck.connection.run("SELECT cell_id FROM selected"));
  const appender = await duck.connection.createAppender("fingers");
  let count = 0;
  for await (const chunk of ids) {
    throwIfAborted(signal);
    const view = viewBigInts(chunk, 0);
    const out = DuckDBDataChunk.create([BIGINT, BIGINT], chunk.rowCount);
    fillFixed(vectorOf(out, 0), view, chunk.rowCount);
    fillFixed(vectorOf(out, 1), farmFingerprintIds(view, seed), chunk.rowCount);
    appender.appendDataChunk(out);
    count += chunk.rowCount;
  }
  appender.closeSync();
  return count;
}

/** Table `dealt`: selected + finger, bin_key, extract_bin, position. */
export async function deal(duck: Duck, plan: Plan): Promise<void> {
  const size = plan.request.binSize;
  const keyed = plan.keys.length > 0;
  // `||` with a NULL is NULL: one missing key column puts the cell into the common group.
  const key = keyed
    ? plan.keys.map((i) => `CAST(w${i} AS VARCHAR)`).join(" || '##' || ")
    : "CAST(NULL AS VARCHAR)";
  const within = keyed ? "PARTITION BY bin_key " : "";
  await duck.run(
    `CREATE TABLE ranked AS SELECT *, row_number() OVER (${within}ORDER BY finger, cell_id) - 1 AS rank
     FROM (SELECT s.*, f.finger, ${key} AS bin_key FROM selected s JOIN fingers f USING (cell_id))`,
  );
  const bin = keyed
    ? `dense_rank() OVER (ORDER BY bin_key ASC NULLS FIRST, rank // ${size}) - 1`
    : `rank // ${size}`;
  await duck.run(
    `CREATE TABLE dealt AS SELECT * EXCLUDE (rank), CAST(${bin} AS INTEGER) AS extract_bin,
     CAST(rank % ${size} AS INTEGER) AS position FROM ranked`,
  );
  await duck.run("DROP TABLE ranked; DROP TABLE fingers; DROP TABLE selected");
}
