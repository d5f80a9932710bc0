import type { JsonValue } from "@bufbuild/protobuf";
import type { Column } from "@cytomesh/anndata";
import { finite } from "./answer.ts";

/** Reader of a column's values as JSON; missing and not finite ones are null. */
export function cellOf(column: Column): (row: number) => JsonValue {
  switch (column.kind) {
    case "string":
      return (row) => column.values[row] ?? null;
    case "categorical":
      return (row) => column.categories[column.codes[row] ?? -1] ?? null;
    case "number":
      return (row) => (column.mask?.[row] === 1 ? null : finite(column.values[row]));
    case "boolean":
      return (row) => (column.mask?.[row] === 1 ? null : column.values[row] === 1);
  }
}

/** Reader of a column's values as the text a request names them by; missing ones are undefined. */
export function textOf(column: Column): (row: number) => string | undefined {
  const cell = cellOf(column);
  return (row) => {
    const value = cell(row);
    if (value === null) return undefined;
    // As Python writes them, and as categories of booleans are written.
    return value === true ? "True" : value === false ? "False" : String(value);
  };
}
