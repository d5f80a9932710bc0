import type { ObsColumn } from "@cytomesh/omics-store";
import type { MetadataColumn } from "@cytomesh/vector-index";
import { InferenceError } from "../errors.ts";

/** Distinct values of a column at most: more are ids, and nobody votes or filters by ids. */
export const maxCategories = 65_536;

/**
 * An obs column as metadata of an index: one code per cell, −1 where there is no value. Numbers and booleans become text (`True`, `False`).
 *
 * @throws InferenceError `too-many-categories`
 */
export function metadataColumn(name: string, column: ObsColumn): MetadataColumn {
  if (column.kind === "categorical") {
    checkCount(name, column.categories.length);
    return { name, codes: column.codes, categories: column.categories };
  }
  const valueAt = textAt(column);
  const length = column.values.length;
  const seen = new Map<string, number>();
  const codes = new Int32Array(length).fill(-1);
  for (let row = 0; row < length; row++) {
    const value = valueAt(row);
    if (value === undefined) continue;
    let code = seen.get(value);
    if (code === undefined) {
      code = seen.size;
      seen.set(value, code);
      checkCount(name, seen.size);
    }
    codes[row] = code;
  }
  return { name, ...sorted(codes, [...seen.keys()]) };
}

/** Sorted, so that a list of values reads well and does not depend on the order of the cells. */
function sorted(
  codes: Int32Array,
  categories: readonly string[],
): { codes: Int32Array; categories: string[] } {
  const order = categories
    .map((_, code) => code)
    .sort((a, b) => ((categories[a] as string) < (categories[b] as string) ? -1 : 1));
  const rank = new Int32Array(categories.length);
  order.forEach((code, position) => {
    rank[code] = position;
  });
  return {
    codes: codes.map((code) => (code < 0 ? -1 : (rank[code] as number))),
    categories: order.map((code) => categories[code] as string),
  };
}

function textAt(column: Exclude<ObsColumn, { kind: "categorical" }>): (row: number) => string | undefined {
  if (column.kind === "string") return (row) => column.values[row] ?? undefined;
  const missing = (row: number) => column.mask?.[row] === 1;
  if (column.kind === "boolean")
    return (row) => (missing(row) ? undefined : column.values[row] === 1 ? "True" : "False");
  return (row) => {
    const value = column.values[row];
    return missing(row) || value === undefined || !Number.isFinite(value) ? undefined : String(value);
  };
}

function checkCount(name: string, count: number): void {
  if (count > maxCategories)
    throw new InferenceError(
      "too-many-categories",
      `column ${name} has more than ${maxCategories} distinct values, so it cannot be metadata of an index; leave it out of metadata_columns`,
    );
}
