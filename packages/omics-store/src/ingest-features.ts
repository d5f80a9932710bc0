import { join } from "node:path";
import { DuckDBDataChunk, INTEGER, VARCHAR } from "@duckdb/node-api";
import type { Duck } from "./duck.ts";
import type { CheckedIngestOptions } from "./ingest-options.ts";
import { reservedFeatureNames, storedFields } from "./names.ts";
import { copyToParquet, quoteIdentifier } from "./sql.ts";
import { checkColumn, columnFiller, duckType, ownColumn, sqlType, typeOfColumn } from "./store-columns.ts";
import type { StoredField } from "./types.ts";
import { fillFixed, fillStrings, VECTOR_ROWS, vectorOf } from "./vectors.ts";

const GROUP_ROWS = 65_536;

/** Writes features.parquet: feature_id, var_position, feature, then the var columns. Returns how those are stored. */
export async function writeFeatures(duck: Duck, options: CheckedIngestOptions): Promise<StoredField[]> {
  const { features, featureIdStart, dir } = options;
  const count = features.ids.length;
  const declared = Object.entries(features.columns).map(([name, c]) => ({ name, type: typeOfColumn(c) }));
  const fields = storedFields(declared, reservedFeatureNames, "var_");
  const fillers = fields.map((f) => {
    const field = { name: f.source, type: f.type };
    return columnFiller(field, checkColumn(field, ownColumn(features.columns, f.source), count));
  });
  const types = [INTEGER, INTEGER, VARCHAR, ...fields.map((f) => duckType[f.type])];
  const columns = ["feature_id", "var_position", "feature", ...fields.map((f) => f.column)];
  const typeNames = ["INTEGER", "INTEGER", "VARCHAR", ...fields.map((f) => sqlType[f.type])];
  await duck.run(`CREATE TABLE features (${typeNames.map((t, i) => `k${i} ${t}`).join(", ")})`);
  const appender = await duck.connection.createAppender("features");
  const encoder = new TextEncoder();
  for (let from = 0; from < count; from += VECTOR_ROWS) {
    const n = Math.min(VECTOR_ROWS, count - from);
    const chunk = DuckDBDataChunk.create(types, n);
    fillFixed(
      vectorOf(chunk, 0),
      Int32Array.from({ length: n }, (_, i) => featureIdStart + from + i),
      n,
    );
    fillFixed(
      vectorOf(chunk, 1),
      Int32Array.from({ length: n }, (_, i) => from + i),
      n,
    );
    fillStrings(vectorOf(chunk, 2), n, (i) => encoder.encode(features.ids[from + i]));
    fillers.forEach((fill, c) => {
      fill(vectorOf(chunk, 3 + c), from, n);
    });
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
  const select = columns.map((column, i) => `k${i} AS ${quoteIdentifier(column)}`).join(", ");
  await duck.run(copyToParquet(`SELECT ${select} FROM features`, join(dir, "features.parquet"), GROUP_ROWS));
  return fields;
}
