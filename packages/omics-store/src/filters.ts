import { z } from "zod";
import { OmicsStoreError } from "./errors.ts";
import { unknownColumn } from "./names.ts";
import { quoteIdentifier } from "./sql.ts";
import type { ColumnType } from "./types.ts";

export const filterOps = ["eq", "not_eq", "in", "not_in", "gt", "gte", "lt", "lte"] as const;
export type FilterOp = (typeof filterOps)[number];
export type FilterValue = string | number | boolean;

/** One condition, checked: its column exists and its values have the column's type. */
export interface Filter {
  column: string;
  op: FilterOp;
  type: ColumnType["type"];
  /** One value, or at least one for `in` and `not_in`. */
  values: FilterValue[];
}

/** Lists longer than this belong into a table, not into a query. */
const MAX_LIST = 10_000;

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const filterObject = z.record(z.string(), z.union([scalar, z.array(scalar)]));

/**
 * Reads `{"column__op": value}`; the key is split at its last "__", conditions are joined with AND.
 * eq and not_eq take one value of the column's type, in and not_in a non-empty list (strings, numbers or booleans, not mixed),
 * gt, gte, lt and lte one number. Filters come back sorted by key, so that equal requests are equal bytes.
 * Throws `invalid_filter` or `unknown_column`.
 */
export function parseFilters(json: unknown, columns: readonly ColumnType[]): Filter[] {
  const parsed = filterObject.safeParse(json ?? {});
  if (!parsed.success)
    throw new OmicsStoreError(
      "invalid_filter",
      `filters must be an object of {"column__op": string | number | boolean | list}: ${z.prettifyError(parsed.error)}`,
    );
  const types = new Map(columns.map((c) => [c.name, c.type]));
  const known = columns.map((c) => c.name);
  return Object.keys(parsed.data)
    .sort()
    .map((key) => {
      const cut = key.lastIndexOf("__");
      const op = filterOps.find((o) => o === key.slice(cut + 2));
      if (cut < 0 || op === undefined)
        throw new OmicsStoreError(
          "invalid_filter",
          `filter ${JSON.stringify(key)} must end in "__" and one of ${filterOps.join(", ")}`,
        );
      const column = key.slice(0, cut);
      const type = types.get(column);
      if (type === undefined) throw unknownColumn(column, known, `filter ${JSON.stringify(key)}`);
      return { column, op, type, values: checkedValues(key, op, type, parsed.data[key]!) };
    });
}

function checkedValues(
  key: string,
  op: FilterOp,
  type: ColumnType["type"],
  value: FilterValue | FilterValue[],
): FilterValue[] {
  const fail = (what: string): never => {
    throw new OmicsStoreError("invalid_filter", `filter ${JSON.stringify(key)}: ${what}`);
  };
  const list = op === "in" || op === "not_in";
  if (list !== Array.isArray(value)) return fail(list ? `${op} needs a list` : `${op} needs one value`);
  const values = Array.isArray(value) ? value : [value];
  if (values.length === 0) return fail("the list is empty; at least one value is needed");
  if (values.length > MAX_LIST) return fail(`the list has ${values.length} values; ${MAX_LIST} is the limit`);
  const wanted = type === "string" ? "string" : type === "bool" ? "boolean" : "number";
  if (!list && op !== "eq" && op !== "not_eq" && wanted !== "number")
    return fail(`${op} compares numbers, and the column is of type ${type}`);
  for (const v of values) {
    if (typeof v !== wanted) return fail(`the column is of type ${type}, but ${JSON.stringify(v)} was given`);
    if (type === "int" && Number.isInteger(v) && !Number.isSafeInteger(v))
      return fail(`${v} is beyond 2^53 and cannot be compared exactly`);
  }
  return [...new Set(values)];
}

const comparison = { eq: "=", not_eq: "<>", gt: ">", gte: ">=", lt: "<", lte: "<=" } as const;

/**
 * The condition as SQL with one `?` per value, in order; no filters give `TRUE`. `expression` turns a column into SQL (default: the quoted name).
 * SQL's three-valued logic holds: a cell whose column is NULL matches no operator, `not_eq` and `not_in` included. Integers that are whole
 * are bound as bigint (BIGINT), other numbers as DOUBLE.
 */
export function filterToSql(
  filters: readonly Filter[],
  expression: (column: string) => string = quoteIdentifier,
): { sql: string; params: FilterParam[] } {
  const params: FilterParam[] = [];
  const parts = filters.map((f) => {
    for (const v of f.values) params.push(f.type === "int" && Number.isInteger(v) ? BigInt(v as number) : v);
    const left = expression(f.column);
    // CAST: a bare parameter takes the column's type, and 1.5 against a BIGINT would be rounded.
    const mark = (v: FilterValue): string =>
      f.type === "int" && !Number.isInteger(v) ? "CAST(? AS DOUBLE)" : "?";
    const marks = f.values.map(mark);
    if (f.op === "in" || f.op === "not_in")
      return `${left} ${f.op === "in" ? "IN" : "NOT IN"} (${marks.join(", ")})`;
    return `${left} ${comparison[f.op]} ${marks[0]}`;
  });
  return { sql: parts.length === 0 ? "TRUE" : parts.map((p) => `(${p})`).join(" AND "), params };
}

export type FilterParam = string | number | boolean | bigint;
