import { columnStrings, type KeptCategories, readCategories, readColumn } from "./columns.ts";
import { openCompound } from "./compound-frame.ts";
import { AnnDataError } from "./errors.ts";
import { stringAttribute } from "./source.ts";
import type { Source } from "./storage.ts";
import type { DataFrame } from "./types.ts";

/** Categories kept per frame, so that reading by row range does not read them again each time; names are some 20 bytes each. */
const maxKeptCategories = 500_000;

/**
 * Opens obs, var or raw.var: a group of columns (0.7 and later) or one compound dataset (before 0.7).
 *
 * @throws AnnDataError "not-anndata" | "invalid"
 */
export function openFrame(source: Source, where: string): DataFrame {
  const kind = source.kind(where);
  if (kind === "dataset") return openCompound(source, where);
  if (kind === "group") return openGroup(source, where);
  throw new AnnDataError("not-anndata", `${source.path}: not an AnnData file: ${where} is missing`);
}

function openGroup(source: Source, where: string): DataFrame {
  const indexName = indexOf(source, where);
  const length = frameLength(source, `${where}/${indexName}`);
  const columnNames = columnsOf(source, where, indexName);
  const known = new Set(columnNames);
  const categories = categoriesOf(source);
  return {
    length,
    indexName,
    columnNames,
    has: (name) => known.has(name),
    index: (start = 0, end = length) => {
      const rows = checkRows(where, length, start, end);
      return columnStrings(readColumn(source, `${where}/${indexName}`, rows, undefined, categories));
    },
    column: (name, start = 0, end = length) => {
      if (!known.has(name)) throw missingColumn(where, name, columnNames);
      const rows = checkRows(where, length, start, end);
      return readColumn(source, `${where}/${name}`, rows, oldCategories(source, where, name), categories);
    },
  };
}

/** Where 0.7 keeps a column's categories; undefined if there are none. */
export function oldCategories(source: Source, where: string, name: string): string | undefined {
  const path = `${where}/__categories/${name}`;
  return source.kind(`${where}/__categories`) === "group" && source.kind(path) !== undefined
    ? path
    : undefined;
}

export function checkRows(
  where: string,
  length: number,
  start: number,
  end: number,
): { length: number; start: number; end: number } {
  if (Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= length) {
    return { length, start, end };
  }
  throw new AnnDataError("invalid-argument", `${where}: rows ${start} to ${end} asked for, it has ${length}`);
}

/** Reads categories and keeps them while there is room. */
export function categoriesOf(source: Source): (where: string) => KeptCategories {
  const kept = new Map<string, KeptCategories>();
  let room = maxKeptCategories;
  return (where) => {
    const known = kept.get(where);
    if (known !== undefined) return known;
    const read = readCategories(source, where);
    if (read.categories.length <= room) {
      kept.set(where, read);
      room -= read.categories.length;
    }
    return read;
  };
}

export function indexOf(source: Source, where: string): string {
  const named = stringAttribute(source, where, "_index");
  const found = [named, "_index", "index"].find(
    (name) => name !== undefined && source.kind(`${where}/${name}`) !== undefined && name !== "",
  );
  // pandas writes an empty name into the attribute when the index had one: the dataset is then "_index".
  if (found !== undefined && (named === undefined || found === named || named === "")) return found;
  const what =
    named === undefined
      ? "no attribute _index and no dataset _index or index"
      : `no dataset ${named}, which _index names`;
  throw new AnnDataError("invalid", `${where} has ${what}; its row names are missing`);
}

function frameLength(source: Source, indexPath: string): number {
  const at = source.kind(indexPath) === "group" ? groupValues(source, indexPath) : indexPath;
  const { shape } = source.dataset(at);
  if (shape?.length !== 1)
    throw new AnnDataError("invalid", `${at} has shape [${shape ?? "none"}], expected one axis`);
  return shape[0]!;
}

function groupValues(source: Source, where: string): string {
  return source.kind(`${where}/codes`) === "dataset" ? `${where}/codes` : `${where}/values`;
}

export function columnsOf(source: Source, where: string, indexName: string): string[] {
  const order = source.attribute(where, "column-order")?.values;
  if (Array.isArray(order)) return [...new Set(order)].filter((name) => name !== "");
  // An empty order is written as zero floats.
  if (ArrayBuffer.isView(order)) return [];
  return source.children(where).filter((name) => name !== indexName && name !== "__categories");
}

export function missingColumn(where: string, name: string, names: readonly string[]): AnnDataError {
  const shown = names.slice(0, 20).join(", ") + (names.length > 20 ? ", …" : "");
  return new AnnDataError(
    "not-found",
    `${where} has no column ${JSON.stringify(name)}; it has: ${shown || "no columns"}`,
  );
}
