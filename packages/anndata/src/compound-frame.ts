import { categorical, columnStrings, toColumn } from "./columns.ts";
import { AnnDataError } from "./errors.ts";
import { categoriesOf, checkRows, missingColumn } from "./frame.ts";
import type { ArrayInfo, Source, Values, ValueType } from "./storage.ts";
import type { Column, DataFrame } from "./types.ts";

/** A table up to this size is read once and kept: every column costs a pass over all of it. */
const maxKeptTableBytes = 32 * 1024 * 1024;

/** Bytes of a bigger table that are decoded at a time. */
const tableBlockBytes = 8 * 1024 * 1024;

/** One record per row; the first member is the index, categories stand in `uns/<column>_categories`. */
export function openCompound(source: Source, where: string): DataFrame {
  const info = source.dataset(where);
  const length = info.shape?.[0] ?? 0;
  if (info.type.kind !== "compound" || info.shape?.length !== 1 || info.type.members.length === 0) {
    throw new AnnDataError(
      "not-anndata",
      `${source.path}: ${where} is a dataset of ${info.type.kind}, expected a data frame`,
    );
  }
  const types = new Map(info.type.members.map((member) => [member.name, member.type]));
  const [indexName, ...columnNames] = [...types.keys()] as [string, ...string[]];
  const members = compoundMembers(source, info, length);
  const categories = categoriesOf(source);
  const plain = (name: string, start: number, end: number): Column =>
    toColumn(members(name, start, end), types.get(name)!, `${where}.${name}`);
  return {
    length,
    indexName,
    columnNames,
    has: (name) => name !== indexName && types.has(name),
    index: (start = 0, end = length) => {
      checkRows(where, length, start, end);
      return columnStrings(plain(indexName, start, end));
    },
    column: (name, start = 0, end = length) => {
      if (name === indexName || !types.has(name)) throw missingColumn(where, name, columnNames);
      checkRows(where, length, start, end);
      const at = legacyCategories(source, name, types.get(name)!);
      if (at === undefined) return plain(name, start, end);
      return categorical(members(name, start, end), categories(at), false, `${where}.${name}`);
    },
  };
}

/** Before 0.7 a categorical column was its codes, and `uns` held the categories. */
export function legacyCategories(source: Source, name: string, type: ValueType): string | undefined {
  const path = `/uns/${name}_categories`;
  return type.kind === "int" && source.kind(path) === "dataset" ? path : undefined;
}

/** Rows of one member. A small table is decoded once; a big one block by block, keeping only the member asked for. */
export function compoundMembers(
  source: Source,
  info: ArrayInfo,
  length: number,
): (name: string, start: number, end: number) => Values {
  const recordBytes = info.type.kind === "compound" ? info.type.size : 1;
  let table: Map<string, Values> | undefined;
  return (name, start, end) => {
    if (length * recordBytes <= maxKeptTableBytes) {
      table ??= source.read(info) as Map<string, Values>;
      const values = table.get(name)!;
      return start === 0 && end === length ? values : sliceMember(values, start, end, length);
    }
    const step = Math.max(1, Math.floor(tableBlockBytes / Math.max(1, recordBytes)));
    const parts: Values[] = [];
    for (let from = start; from < end || parts.length === 0; from += step) {
      const to = Math.min(end, from + step);
      parts.push((source.read(info, from, to) as Map<string, Values>).get(name)!);
    }
    return joinMembers(parts);
  };
}

/** A member that is a small array holds several values per row. */
function sliceMember(values: Values, start: number, end: number, length: number): Values {
  if (values instanceof Map) {
    return new Map([...values].map(([name, inner]) => [name, sliceMember(inner, start, end, length)]));
  }
  const width = length === 0 ? 1 : values.length / length;
  return values.slice(start * width, end * width);
}

function joinMembers(parts: readonly Values[]): Values {
  const first = parts[0]!;
  if (parts.length === 1) return first;
  if (Array.isArray(first)) return (parts as readonly string[][]).flat();
  if (first instanceof Map) {
    return new Map(
      [...first.keys()].map((name) => [
        name,
        joinMembers(parts.map((part) => (part as Map<string, Values>).get(name)!)),
      ]),
    );
  }
  const arrays = parts as readonly Uint8Array[];
  const Type = first.constructor as new (length: number) => Uint8Array;
  const joined = new Type(arrays.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of arrays) {
    joined.set(part, at);
    at += part.length;
  }
  return joined as Values;
}
