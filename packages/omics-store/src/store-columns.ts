import { OmicsStoreError } from "./errors.ts";
import type { ColumnBuffer, ScalarField } from "./parquet/column-buffer.ts";
import type { ColumnType, ObsColumn, ObsType } from "./types.ts";

export const sqlType: Record<ObsType, string> = {
  string: "VARCHAR",
  int: "BIGINT",
  float: "DOUBLE",
  bool: "BOOLEAN",
};

/** How a column of the store lies in Parquet. */
export const scalarType: Record<ObsType, ScalarField["type"]> = {
  string: "string",
  int: "int64",
  float: "double",
  bool: "bool",
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

/** Pushes rows `from`..`to` into a buffer of the field's type; throws `invalid_column`. The column has passed `checkColumn`. */
export type ColumnPusher = (buffer: ColumnBuffer, from: number, to: number) => void;

export function columnPusher(field: ColumnType, column: ObsColumn): ColumnPusher {
  if (column.kind === "categorical" || column.kind === "string") return stringPusher(field, column);
  if (column.kind === "boolean") {
    return (buffer, from, to) => {
      for (let row = from; row < to; row++) {
        if (column.mask?.[row] === 1) buffer.pushNull();
        else buffer.pushNumber(column.values[row] === 0 ? 0 : 1);
      }
    };
  }
  return numberPusher(field, column);
}

function stringPusher(
  field: ColumnType,
  column: Extract<ObsColumn, { kind: "categorical" | "string" }>,
): ColumnPusher {
  if (column.kind === "string") {
    return (buffer, from, to) => {
      for (let row = from; row < to; row++) {
        const value = column.values[row];
        if (value === null || value === undefined) buffer.pushNull();
        else buffer.pushString(value);
      }
    };
  }
  const { categories, codes } = column;
  codes.forEach((code, row) => {
    if (code !== -1 && categories[code] === undefined)
      throw bad(field.name, `code ${code} at row ${row} has none of ${categories.length} categories`);
  });
  return (buffer, from, to) => buffer.pushCategories(categories, codes, from, to);
}

function numberPusher(field: ColumnType, column: Extract<ObsColumn, { kind: "number" }>): ColumnPusher {
  const whole = field.type === "int";
  return (buffer, from, to) => {
    for (let row = from; row < to; row++) {
      const value = column.values[row]!;
      if (column.mask?.[row] === 1 || Number.isNaN(value)) {
        buffer.pushNull();
        continue;
      }
      if (whole && !Number.isSafeInteger(value))
        throw bad(field.name, `${value} at row ${row} of the batch is not an integer within ±2^53`);
      buffer.pushNumber(value);
    }
  };
}
