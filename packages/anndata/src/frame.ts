import { categorical, columnStrings, readCategories, readColumn, toColumn } from "./columns.ts";
import { AnnDataError } from "./errors.ts";
import { stringAttribute } from "./source.ts";
import type { Source, Values, ValueType } from "./storage.ts";
import type { Column, DataFrame } from "./types.ts";

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
  return {
    length,
    indexName,
    columnNames,
    has: (name) => known.has(name),
    index: () => columnStrings(readColumn(source, `${where}/${indexName}`, length, undefined)),
    column: (name) => {
      if (!known.has(name)) throw missingColumn(where, name, columnNames);
      const categoriesPath = `${where}/__categories/${name}`;
      const old =
        source.kind(`${where}/__categories`) === "group" && source.kind(categoriesPath) !== undefined;
      return readColumn(source, `${where}/${name}`, length, old ? categoriesPath : undefined);
    },
  };
}

function indexOf(source: Source, where: string): string {
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

function columnsOf(source: Source, where: string, indexName: string): string[] {
  const order = source.attribute(where, "column-order")?.values;
  if (Array.isArray(order)) return [...new Set(order)].filter((name) => name !== "");
  // An empty order is written as zero floats.
  if (ArrayBuffer.isView(order)) return [];
  return source.children(where).filter((name) => name !== indexName && name !== "__categories");
}

function missingColumn(where: string, name: string, names: readonly string[]): AnnDataError {
  const shown = names.slice(0, 20).join(", ") + (names.length > 20 ? ", …" : "");
  return new AnnDataError(
    "not-found",
    `${where} has no column ${JSON.stringify(name)}; it has: ${shown || "no columns"}`,
  );
}

/** One record per row; the first member is the index, categories stand in `uns/<column>_categories`. */
function openCompound(source: Source, where: string): DataFrame {
  const info = source.dataset(where);
  if (info.type.kind !== "compound" || info.shape?.length !== 1 || info.type.members.length === 0) {
    throw new AnnDataError(
      "not-anndata",
      `${source.path}: ${where} is a dataset of ${info.type.kind}, expected a data frame`,
    );
  }
  const types = new Map(info.type.members.map((member) => [member.name, member.type]));
  const [indexName, ...columnNames] = [...types.keys()] as [string, ...string[]];
  // Read once: every member costs the whole table.
  let table: Map<string, Values> | undefined;
  const take = (name: string): { values: Values; type: ValueType } => {
    table ??= source.read(info) as Map<string, Values>;
    return { values: table.get(name)!, type: types.get(name)! };
  };
  const plain = (name: string): Column => {
    const { values, type } = take(name);
    return toColumn(values, type, `${where}.${name}`);
  };
  return {
    length: info.shape[0]!,
    indexName,
    columnNames,
    has: (name) => name !== indexName && types.has(name),
    index: () => columnStrings(plain(indexName)),
    column: (name) => {
      if (name === indexName || !types.has(name)) throw missingColumn(where, name, columnNames);
      const categoriesPath = `/uns/${name}_categories`;
      const coded = types.get(name)!.kind === "int" && source.kind(categoriesPath) === "dataset";
      if (!coded) return plain(name);
      return categorical(
        take(name).values,
        readCategories(source, categoriesPath),
        false,
        `${where}.${name}`,
      );
    },
  };
}
