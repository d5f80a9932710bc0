import { ZarrError } from "../errors.ts";
import type { Plan } from "../read/requests.ts";
import type { Json, JsonObject, ZarrGroup } from "../types.ts";
import { type ArrayPlan, arrayV2, groupV2, nodeV3 } from "./document.ts";
import { field, isObject, parseJson } from "./json.ts";
import { under } from "./path.ts";

/** A node as reading needs it. */
export type Node = ArrayPlan | ZarrGroup;

/** What is known of a hierarchy: its format, its documents where they are consolidated, nodes met so far. */
export interface Hierarchy {
  name: string;
  format: 2 | 3;
  /** Documents by path: of v3 nodes ("a/b"), of v2 files ("a/b/.zarray"). */
  consolidated: Map<string, Json> | undefined;
  /** Names below each path, when consolidated. */
  below: Map<string, Set<string>> | undefined;
  nodes: Map<string, Node>;
}

/** Nodes kept parsed; beyond that they are parsed again. */
const keptNodes = 20_000;

/** Finds out the format from the root's files. */
export function* openHierarchy(name: string): Plan<Hierarchy> {
  const keys = ["zarr.json", ".zmetadata", ".zgroup", ".zarray"];
  const [v3, all, group, array] = yield keys.map((key) => ({ key }));
  if (v3 !== undefined) {
    const doc = object(parseJson(v3, `${name}/zarr.json`), `${name}/zarr.json`);
    const consolidated = documentsV3(doc, name);
    return made(name, 3, consolidated);
  }
  if (all !== undefined) {
    const doc = object(parseJson(all, `${name}/.zmetadata`), `${name}/.zmetadata`);
    const metadata = field(doc, "metadata");
    if (!isObject(metadata)) throw new ZarrError("corrupt", `${name}/.zmetadata: no metadata`);
    return made(name, 2, new Map(Object.entries(metadata)));
  }
  if (group !== undefined || array !== undefined) return made(name, 2, undefined);
  throw new ZarrError(
    "not-zarr",
    `${name}: no zarr hierarchy: neither zarr.json nor .zgroup, .zarray or .zmetadata at its root`,
  );
}

function documentsV3(root: JsonObject, name: string): Map<string, Json> | undefined {
  const inline = field(root, "consolidated_metadata");
  if (!isObject(inline)) return undefined;
  const metadata = field(inline, "metadata");
  // A kind of consolidation that is not known may be left aside; every node has its own file.
  if (field(inline, "kind") !== "inline" || !isObject(metadata)) return undefined;
  const documents = new Map<string, Json>(Object.entries(metadata));
  if (documents.has(""))
    throw new ZarrError("corrupt", `${name}/zarr.json: consolidated metadata of an empty path`);
  documents.set("", root);
  return documents;
}

function made(name: string, format: 2 | 3, consolidated: Map<string, Json> | undefined): Hierarchy {
  const below = consolidated && foldersOf(consolidated.keys(), format);
  return { name, format, consolidated, below, nodes: new Map() };
}

function foldersOf(keys: Iterable<string>, format: 2 | 3): Map<string, Set<string>> {
  const below = new Map<string, Set<string>>();
  for (const key of keys) {
    const cut = key.lastIndexOf("/");
    if (format === 2 && ![".zgroup", ".zarray"].includes(key.slice(cut + 1))) continue;
    const path = format === 3 ? key : key.slice(0, Math.max(0, cut));
    if (path === "") continue;
    const parent = path.lastIndexOf("/");
    const folder = path.slice(0, Math.max(0, parent));
    const names = below.get(folder) ?? new Set();
    below.set(folder, names.add(path.slice(parent + 1)));
  }
  return below;
}

/** The node at a normal path; undefined when there is none. */
export function* findNode(tree: Hierarchy, path: string): Plan<Node | undefined> {
  const known = tree.nodes.get(path);
  if (known !== undefined) return known;
  const node = tree.format === 3 ? yield* findV3(tree, path) : yield* findV2(tree, path);
  if (node !== undefined) {
    if (tree.nodes.size >= keptNodes) tree.nodes.clear();
    tree.nodes.set(path, node);
  }
  return node;
}

function* findV3(tree: Hierarchy, path: string): Plan<Node | undefined> {
  const key = under(path, "zarr.json");
  const where = `${tree.name}/${key}`;
  if (tree.consolidated !== undefined) {
    const doc = tree.consolidated.get(path);
    return doc === undefined ? undefined : nodeV3(path, object(doc, where), where);
  }
  const [bytes] = yield [{ key }];
  return bytes === undefined ? undefined : nodeV3(path, object(parseJson(bytes, where), where), where);
}

function* findV2(tree: Hierarchy, path: string): Plan<Node | undefined> {
  const keys = [".zarray", ".zgroup", ".zattrs"].map((file) => under(path, file));
  const where = `${tree.name}/${path}`;
  let docs: (Json | undefined)[];
  if (tree.consolidated !== undefined) docs = keys.map((key) => tree.consolidated!.get(key));
  else {
    const found = yield keys.map((key) => ({ key }));
    docs = found.map((bytes, i) =>
      bytes === undefined ? undefined : parseJson(bytes, `${tree.name}/${keys[i]}`),
    );
  }
  const [array, group, attributes] = docs;
  if (array !== undefined) return arrayV2(path, object(array, where), attributes, where);
  return group === undefined ? undefined : groupV2(path, object(group, where), attributes, where);
}

function object(value: Json, where: string): JsonObject {
  if (isObject(value)) return value;
  throw new ZarrError("corrupt", `${where}: no JSON object`);
}

export function isArray(node: Node): node is ArrayPlan {
  return "pipeline" in node;
}
