import { BIGINT, BOOLEAN, DOUBLE, type DuckDBType, VARCHAR } from "@duckdb/node-api";
import type { Vector } from "@duckdb/node-bindings";
import { OmicsStoreError } from "./errors.ts";
import type { ColumnType, ObsColumn, ObsType } from "./types.ts";
import { fillFixed, fillStrings } from "./vectors.ts";

export const duckType: Record<ObsType, DuckDBType> = {
  string: VARCHAR,
  int: BIGINT,
  float: DOUBLE,
  bool: BOOLEAN,
};

export const sqlType: Record<ObsType, string> = {
  string: "VARCHAR",
  int: "BIGINT",
  float: "DOUBLE",
  bool: "BOOLEAN",
};

export function columnLength(column: ObsColumn): number {
  return column.kind === "categorical" ? column.codes.length : column.values.length;
}

/** The type a column gets when nobody declares one (var columns). */
export function typeOfColumn(column: ObsColumn): ObsType {
  if (column.kind === "categorical" || column.kind === "string") return "string";
  if (column.kind === "boolean") return "bool";
  return /^u?int/.test(column.dtype) ? "int" : "float";
}

const bad = (name: string, what: string): OmicsStoreError =>
  new OmicsStoreError("invalid_column", `column ${JSON.stringify(name)}: ${what}`);

/** A column by name, where names such as "constructor" must not find what objects inherit. */
export const ownColumn = (columns: Record<string, ObsColumn>, name: string): ObsColumn | undefined =>
  Object.hasOwn(columns, name) ? columns[name] : undefined;

/** Throws `invalid_column` unless the column has `rows` values of the declared type. */
export function checkColumn(field: ColumnType, column: ObsColumn | undefined, rows: number): ObsColumn {
  if (column === undefined) throw bad(field.name, "declared in the schema but missing in the batch");
  const found = typeOfColumn(column);
  const fits =
    found === field.type || (column.kind === "number" && (field.type === "int" || field.type === "float"));
  if (!fits) throw bad(field.name, `${field.type} was declared, a ${column.kind} column was given`);
  if (columnLength(column) !== rows)
    throw bad(field.name, `${rows} values were expected, ${columnLength(column)} were given`);
  const mask = "mask" in column ? column.mask : undefined;
  if (mask !== undefined && mask.length !== rows)
    throw bad(field.name, `mask of ${rows} values was expected, ${mask.length} were given`);
  return column;
}

/** Copies rows `from`..`from + count` into a vector of the field's type. The column has passed `checkColumn`. */
export type ColumnFiller = (vector: Vector, from: number, count: number) => void;

export function columnFiller(field: ColumnType, column: ObsColumn): ColumnFiller {
  if (column.kind === "categorical" || column.kind === "string") return stringFiller(field, column);
  if (column.kind === "boolean") {
    return (vector, from, count) => {
      const values = Uint8Array.from(column.values.subarray(from, from + count), (v) => (v === 0 ? 0 : 1));
      fillFixed(vector, values, count, column.mask?.subarray(from, from + count));
    };
  }
  return field.type === "int" ? intFiller(field, column) : floatFiller(column);
}

function stringFiller(
  field: ColumnType,
  column: Extract<ObsColumn, { kind: "categorical" | "string" }>,
): ColumnFiller {
  const encoder = new TextEncoder();
  if (column.kind === "string") {
    return (vector, from, count) =>
      fillStrings(vector, count, (i) => {
        const value = column.values[from + i];
        return value === null || value === undefined ? null : encoder.encode(value);
      });
  }
  const encoded: Uint8Array[] = [];
  const at = (row: number): Uint8Array | null => {
    const code = column.codes[row]!;
    if (code === -1) return null;
    const category = column.categories[code];
    if (category === undefined)
      throw bad(field.name, `code ${code} at row ${row} has none of ${column.categories.length} categories`);
    encoded[code] ??= encoder.encode(category);
    return encoded[code];
  };
  return (vector, from, count) => fillStrings(vector, count, (i) => at(from + i));
}

type NumberColumn = Extract<ObsColumn, { kind: "number" }>;

function intFiller(field: ColumnType, column: NumberColumn): ColumnFiller {
  return (vector, from, count) => {
    const values = new BigInt64Array(count);
    const nulls = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const value = column.values[from + i]!;
      if (column.mask?.[from + i] === 1 || Number.isNaN(value)) {
        nulls[i] = 1;
        continue;
      }
      if (!Number.isSafeInteger(value))
        throw bad(field.name, `${value} at row ${from + i} of the batch is not an integer within ±2^53`);
      values[i] = BigInt(value);
    }
    fillFixed(vector, values, count, nulls);
  };
}

function floatFiller(column: NumberColumn): ColumnFiller {
  return (vector, from, count) => {
    const values = new Float64Array(count);
    const nulls = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const value = column.values[from + i]!;
      if (column.mask?.[from + i] === 1 || Number.isNaN(value)) nulls[i] = 1;
      else values[i] = value;
    }
    fillFixed(vector, values, count, nulls);
  };
}
