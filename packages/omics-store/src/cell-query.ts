import type { DuckDBValue } from "@duckdb/node-api";
import { type Filter, filterToSql } from "./filters.ts";
import { columnSql, type Ingest, obsPath } from "./ingests.ts";
import { unknownColumn } from "./names.ts";
import { readParquet } from "./sql.ts";
import type { ColumnType } from "./types.ts";

export interface Sql {
  sql: string;
  params: DuckDBValue[];
}

/** The filters as SQL over one ingest's obs.parquet. */
export function ingestCondition(
  ingest: Ingest,
  filters: readonly Filter[],
  columns: readonly ColumnType[],
): Sql {
  const byName = new Map(columns.map((c) => [c.name, c]));
  return filterToSql(filters, (name) => columnSql(ingest, byName.get(name)!));
}

/** `SELECT expressions FROM obs WHERE filters` of one ingest, columns named u0, u1, …. */
export function selectCells(
  ingest: Ingest,
  wanted: readonly ColumnType[],
  filters: readonly Filter[],
  columns: readonly ColumnType[],
): Sql {
  const condition = ingestCondition(ingest, filters, columns);
  const expressions = wanted.map((column, i) => `${columnSql(ingest, column)} AS u${i}`);
  return {
    sql: `SELECT ${expressions.join(", ")} FROM ${readParquet([obsPath(ingest)])} WHERE ${condition.sql}`,
    params: condition.params,
  };
}

/** The named columns with their types, in the given order. Throws `unknown_column`. */
export function pickColumns(
  names: readonly string[],
  columns: readonly ColumnType[],
  where: string,
): ColumnType[] {
  const byName = new Map(columns.map((c) => [c.name, c]));
  return names.map((name) => {
    const column = byName.get(name);
    if (column === undefined) throw unknownColumn(name, [...byName.keys()], where);
    return column;
  });
}
