import { compoundMembers, legacyCategories } from "../compound-frame.ts";
import { LazyMap } from "../lazy-map.ts";
import type { ArrayInfo, Source, ValueType } from "../storage.ts";
import type { ArraySource, DataFrameElement, DictElement, Element } from "./element.ts";
import { asArray, readElementFrom } from "./read-element.ts";

/** The parts of an AnnData object, in the order in which they are written. */
const parts = ["X", "layers", "obs", "var", "obsm", "varm", "obsp", "varp", "uns", "raw"] as const;

/**
 * The whole file as the mapping that anndata writes today. What versions before 0.7 did otherwise is put right: compound obs, var,
 * obsm and varm become data frames and mappings, `raw.X` and its companions become raw, categories leave uns.
 *
 * @throws AnnDataError
 */
export function readAnnDataElement(source: Source): DictElement {
  const names = source.children("/").filter((name) => !name.startsWith("raw."));
  const legacyRaw = source.kind("/raw") === undefined && source.kind("/raw.X") !== undefined;
  const all = new Set([...parts.filter((name) => names.includes(name)), ...names]);
  if (legacyRaw) all.add("raw");
  return {
    encoding: "anndata",
    entries: new LazyMap(all, (name) =>
      name === "raw" && legacyRaw ? legacyRawElement(source) : readPart(source, name),
    ),
  };
}

function readPart(source: Source, name: string): Element {
  const where = `/${name}`;
  if (source.kind(where) === "dataset") {
    const info = source.dataset(where);
    if (["obs", "var"].includes(name) && isTable(info)) return compoundFrame(source, info);
    if (["obsm", "varm"].includes(name) && isTable(info)) return compoundDict(source, info);
  }
  const element = readElementFrom(source, where);
  if (name === "raw" && element.encoding === "dict") return { ...element, encoding: "raw" };
  return name === "uns" && element.encoding === "dict" ? withoutCategories(source, element) : element;
}

function legacyRawElement(source: Source): DictElement {
  const names = ["X", "var", "varm"].filter((name) => source.kind(`/raw.${name}`) !== undefined);
  return {
    encoding: "raw",
    entries: new LazyMap(names, (name) => {
      const where = `/raw.${name}`;
      if (name === "X" || source.kind(where) !== "dataset") return readElementFrom(source, where);
      const info = source.dataset(where);
      return name === "var" ? compoundFrame(source, info) : compoundDict(source, info);
    }),
  };
}

function isTable(info: ArrayInfo): boolean {
  return info.type.kind === "compound" && info.shape?.length === 1 && info.type.members.length > 0;
}

function membersOf(info: ArrayInfo): Map<string, ValueType> {
  return new Map(
    info.type.kind === "compound" ? info.type.members.map((member) => [member.name, member.type]) : [],
  );
}

function compoundFrame(source: Source, info: ArrayInfo): DataFrameElement {
  const types = membersOf(info);
  const [indexName = "_index", ...columns] = types.keys();
  const read = memberArrays(source, info);
  const plain = (name: string): Element => {
    const array = read(name, types.get(name)!);
    return { encoding: array.type.kind === "string" ? "string-array" : "array", array };
  };
  return {
    encoding: "dataframe",
    // Versions of that time called an index without a name so.
    indexName,
    index: plain(indexName),
    columns: new LazyMap(columns, (name) => {
      const at = legacyCategories(source, name, types.get(name)!);
      if (at === undefined) return plain(name);
      return {
        encoding: "categorical",
        codes: read(name, types.get(name)!),
        categories: asArray(readElementFrom(source, at)),
        ordered: false,
      };
    }),
  };
}

function compoundDict(source: Source, info: ArrayInfo): DictElement {
  const types = membersOf(info);
  const read = memberArrays(source, info);
  return {
    encoding: "dict",
    entries: new LazyMap(types.keys(), (name) => ({
      encoding: "array",
      array: read(name, types.get(name)!),
    })),
  };
}

/** A member that is a small array becomes further axes. */
export function memberArrays(
  source: Source,
  info: ArrayInfo,
): (name: string, type: ValueType) => ArraySource {
  const length = info.shape?.[0] ?? 0;
  const members = compoundMembers(source, info, length);
  return (name, type) => ({
    type: type.kind === "array" ? type.base : type,
    shape: [length, ...(type.kind === "array" ? type.dims : [])],
    read: (start = 0, end = length) => members(name, start, end),
  });
}

/** The categories that a column of obs or var has taken over. */
function withoutCategories(source: Source, uns: DictElement): DictElement {
  const taken = new Set<string>();
  for (const where of ["/obs", "/var"]) {
    if (source.kind(where) !== "dataset") continue;
    for (const [name, type] of membersOf(source.dataset(where))) {
      if (legacyCategories(source, name, type) !== undefined) taken.add(`${name}_categories`);
    }
  }
  if (taken.size === 0) return uns;
  const names = [...uns.entries.keys()].filter((name) => !taken.has(name));
  return { ...uns, entries: new LazyMap(names, (name) => uns.entries.get(name)!) };
}
