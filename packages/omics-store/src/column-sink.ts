import { type DuckDBDataChunk, DuckDBVarCharVector } from "@duckdb/node-api";
import { OmicsStoreError } from "./errors.ts";
import type { ColumnType, ObsColumn } from "./types.ts";
import { nullTest, viewBigInts, viewBooleans, viewDoubles } from "./vectors.ts";

/** Gathers one column of a result into an ObsColumn. */
export interface ColumnSink {
  take(chunk: DuckDBDataChunk, column: number): void;
  finish(): ObsColumn;
}

export interface SinkOptions {
  /** Makes a string column categorical with exactly these categories. */
  categories?: string[] | undefined;
  /** Types that depend on missing values follow this instead of the rows seen, so that all bins agree. */
  nullable?: boolean | undefined;
}

/**
 * string → string or categorical (code −1 for NULL); int → int64 (in a Float64Array), or float64 with NaN when nullable; float → float64 with NaN;
 * bool → boolean, with a mask when nullable.
 */
export function columnSink(column: ColumnType, options: SinkOptions = {}): ColumnSink {
  if (column.type === "string")
    return options.categories ? categoricalSink(column.name, options.categories) : stringSink();
  if (column.type === "int") return intSink(options.nullable);
  return column.type === "float" ? floatSink() : boolSink(options.nullable);
}

function strings(chunk: DuckDBDataChunk, column: number): (row: number) => string | null {
  const vector = chunk.getColumnVector(column);
  if (!(vector instanceof DuckDBVarCharVector))
    throw new OmicsStoreError("corrupt", `result column ${column} was expected to hold strings`);
  return (row) => vector.getItem(row);
}

function stringSink(): ColumnSink {
  const values: (string | null)[] = [];
  return {
    take: (chunk, column) => {
      const at = strings(chunk, column);
      for (let i = 0; i < chunk.rowCount; i++) values.push(at(i));
    },
    finish: () => ({ kind: "string", values }),
  };
}

function categoricalSink(name: string, categories: string[]): ColumnSink {
  const codeOf = new Map(categories.map((category, code) => [category, code]));
  const codes: number[] = [];
  return {
    take: (chunk, column) => {
      const at = strings(chunk, column);
      for (let i = 0; i < chunk.rowCount; i++) {
        const value = at(i);
        const code = value === null ? -1 : codeOf.get(value);
        if (code === undefined)
          throw new OmicsStoreError(
            "corrupt",
            `column ${JSON.stringify(name)}: ${JSON.stringify(value)} is not among its categories`,
          );
        codes.push(code);
      }
    },
    finish: () => ({ kind: "categorical", codes: Int32Array.from(codes), categories, ordered: false }),
  };
}

function intSink(nullable: boolean | undefined): ColumnSink {
  const values: number[] = [];
  let anyNull = false;
  return {
    take: (chunk, column) => {
      const view = viewBigInts(chunk, column);
      const isNull = nullTest(chunk, column);
      for (let i = 0; i < chunk.rowCount; i++) {
        const missing = isNull(i);
        anyNull ||= missing;
        values.push(missing ? Number.NaN : Number(view[i]));
      }
    },
    finish: () => ({
      kind: "number",
      dtype: (nullable ?? anyNull) ? "float64" : "int64",
      values: Float64Array.from(values),
    }),
  };
}

function floatSink(): ColumnSink {
  const values: number[] = [];
  return {
    take: (chunk, column) => {
      const view = viewDoubles(chunk, column);
      const isNull = nullTest(chunk, column);
      for (let i = 0; i < chunk.rowCount; i++) values.push(isNull(i) ? Number.NaN : view[i]!);
    },
    finish: () => ({ kind: "number", dtype: "float64", values: Float64Array.from(values) }),
  };
}

function boolSink(nullable: boolean | undefined): ColumnSink {
  const values: number[] = [];
  const mask: number[] = [];
  return {
    take: (chunk, column) => {
      const view = viewBooleans(chunk, column);
      const isNull = nullTest(chunk, column);
      for (let i = 0; i < chunk.rowCount; i++) {
        mask.push(isNull(i) ? 1 : 0);
        values.push(isNull(i) ? 0 : view[i]!);
      }
    },
    finish: () => {
      const column = { kind: "boolean" as const, values: Uint8Array.from(values) };
      return (nullable ?? mask.includes(1)) ? { ...column, mask: Uint8Array.from(mask) } : column;
    },
  };
}

/** Rows `from`..`to` of a column, in memory of its own, so that it alone is sent to another thread. */
export function sliceColumn(column: ObsColumn, from: number, to: number): ObsColumn {
  switch (column.kind) {
    case "categorical":
      return { ...column, codes: column.codes.slice(from, to) };
    case "string":
      return { ...column, values: column.values.slice(from, to) };
    case "number":
      return { ...column, values: column.values.slice(from, to), ...maskOf(column, from, to) };
    case "boolean":
      return { ...column, values: column.values.slice(from, to), ...maskOf(column, from, to) };
  }
}

function maskOf({ mask }: { mask?: Uint8Array }, from: number, to: number): { mask?: Uint8Array } {
  return mask === undefined ? {} : { mask: mask.slice(from, to) };
}
