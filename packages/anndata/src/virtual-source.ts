import { AnnDataError } from "./errors.ts";
import type { ArrayInfo, Attribute, Source, Values, ValueType } from "./storage.ts";

/** A node of a tree that is laid out like AnnData and kept elsewhere: other formats are read by telling where their parts belong. */
export type VirtualNode =
  | { kind: "group"; attributes: Record<string, Attribute> }
  /** An array of another source, under a name of its own. */
  | { kind: "link"; target: string; attributes: Record<string, Attribute> }
  | {
      kind: "array";
      type: ValueType;
      shape: number[];
      attributes: Record<string, Attribute>;
      read: ReadRows;
    };

/** Elements of rows `start` to `end`, row-major; the range has been checked. */
export type ReadRows = (start: number, end: number) => Values;

const text: ValueType = { kind: "string", size: "variable", utf8: true };

export const stringAttr = (value: string): Attribute => ({ type: text, shape: [], values: [value] });

export const stringsAttr = (values: string[]): Attribute => ({ type: text, shape: [values.length], values });

export const shapeAttr = (rows: number, columns: number): Attribute => ({
  type: { kind: "int", size: 8, signed: true },
  shape: [2],
  values: BigInt64Array.of(BigInt(rows), BigInt(columns)),
});

export const encodingOf = (type: string, version: string): Record<string, Attribute> => ({
  "encoding-type": stringAttr(type),
  "encoding-version": stringAttr(version),
});

/** A column or index that is in memory. */
export const textArray = (values: string[]): VirtualNode => ({
  kind: "array",
  type: text,
  shape: [values.length],
  attributes: encodingOf("string-array", "0.2.0"),
  read: (start, end) => values.slice(start, end),
});

/** A data frame: its group, its index and its columns, each a node. */
export function virtualFrame(
  where: string,
  index: VirtualNode,
  columns: ReadonlyMap<string, VirtualNode>,
): [string, VirtualNode][] {
  const attributes = {
    ...encodingOf("dataframe", "0.2.0"),
    _index: stringAttr("_index"),
    "column-order": stringsAttr([...columns.keys()]),
  };
  return [
    [where, { kind: "group", attributes }],
    [`${where}/_index`, index],
    ...[...columns].map(([name, node]): [string, VirtualNode] => [`${where}/${name}`, node]),
  ];
}

/** The groups that every AnnData file has, empty. */
export function emptyGroups(...names: string[]): [string, VirtualNode][] {
  return names.map((name) => [name, { kind: "group", attributes: encodingOf("dict", "0.1.0") }]);
}

/**
 * A source made of nodes, which link into `base`.
 *
 * @param o.close releases what the nodes read from; `base` is closed before it
 */
export function virtualSource(
  nodes: readonly [string, VirtualNode][],
  o: { path: string; base?: Source; close?: () => void },
): Source {
  const tree = new Map<string, VirtualNode>([
    ["/", { kind: "group", attributes: encodingOf("anndata", "0.1.0") }],
    ...nodes,
  ]);
  const names = new Map<string, string[]>();
  for (const where of tree.keys()) {
    if (where === "/") continue;
    const at = where.lastIndexOf("/");
    const parent = at === 0 ? "/" : where.slice(0, at);
    names.set(parent, [...(names.get(parent) ?? []), where.slice(at + 1)]);
  }
  const { base } = o;
  let closed = false;
  const find = (where: string): VirtualNode | undefined => {
    if (closed) throw new AnnDataError("closed", `${o.path} is closed`);
    return tree.get(clean(where));
  };
  const get = (where: string): VirtualNode => {
    const node = find(where);
    if (node === undefined) throw new AnnDataError("not-found", `${o.path}: there is no ${where}`);
    return node;
  };
  const linked = (target: string): ArrayInfo => (base as Source).dataset(target);
  const source: Source = {
    format: "h5ad",
    path: o.path,
    kind: (where) => {
      const node = find(where);
      return node === undefined ? undefined : node.kind === "group" ? "group" : "dataset";
    },
    realPath: (where) => (find(where) === undefined ? undefined : clean(where)),
    children: (where) => {
      get(where);
      return [...(names.get(clean(where)) ?? [])];
    },
    attributeNames: (where) => Object.keys(get(where).attributes),
    attribute: (where, name) => {
      const { attributes } = get(where);
      return Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    },
    dataset: (where) => {
      const node = get(where);
      if (node.kind === "group") throw new AnnDataError("not-found", `${where} is not a dataset`);
      if (node.kind === "link") return { ...linked(node.target), path: clean(where) };
      return { path: clean(where), type: node.type, shape: node.shape, chunks: undefined };
    },
    read: (info, start = 0, end = info.shape?.[0] ?? 1, into = undefined) => {
      const node = get(info.path);
      if (node.kind === "link") return (base as Source).read(linked(node.target), start, end, into);
      if (node.kind === "group") throw new AnnDataError("not-found", `${info.path} is not a dataset`);
      const rows = node.shape[0] ?? 1;
      if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= rows))
        throw new AnnDataError(
          "invalid-argument",
          `${info.path}: rows ${start} to ${end} asked for, it has ${rows}`,
        );
      return node.read(start, end);
    },
    close: () => {
      if (closed) return;
      closed = true;
      base?.close();
      o.close?.();
    },
  };
  const parallel = base?.readParallel?.bind(base);
  if (parallel !== undefined)
    source.readParallel = async (info, start, end, options) => {
      const node = get(info.path);
      return node.kind === "link"
        ? parallel(linked(node.target), start, end, options)
        : source.read(info, start, end);
    };
  return source;
}

function clean(where: string): string {
  const parts = where.split("/").filter((part) => part !== "");
  return `/${parts.join("/")}`;
}
