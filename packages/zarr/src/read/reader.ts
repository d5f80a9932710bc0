import { ZarrError } from "../errors.ts";
import { findNode, type Hierarchy, isArray, type Node } from "../meta/hierarchy.ts";
import { normalPath } from "../meta/path.ts";
import type { Region, ZarrNode, ZarrValues } from "../types.ts";
import { product } from "./copy.ts";
import { type ReadContext, readRegion } from "./region.ts";
import type { Plan } from "./requests.ts";
import { toValues } from "./values.ts";

export function* nodeAt(tree: Hierarchy, path: string): Plan<ZarrNode | undefined> {
  const node = yield* findNode(tree, normalPath(path));
  return node && publicNode(node);
}

function publicNode(node: Node): ZarrNode {
  return isArray(node) ? node.node : node;
}

/** Names in consolidated metadata, or undefined where the store must list. */
export function consolidatedChildren(tree: Hierarchy, path: string): string[] | undefined {
  if (tree.below === undefined) return undefined;
  return [...(tree.below.get(normalPath(path)) ?? [])].sort();
}

/** Of listed names those that are nodes. */
export function* onlyNodes(tree: Hierarchy, path: string, names: readonly string[]): Plan<string[]> {
  const folder = normalPath(path);
  const found: string[] = [];
  for (const name of [...new Set(names)].sort()) {
    if (name === "" || name.startsWith(".") || name === "zarr.json") continue;
    const node = yield* findNode(tree, folder === "" ? name : `${folder}/${name}`);
    if (node !== undefined) found.push(name);
  }
  return found;
}

export function* readValues(
  tree: Hierarchy,
  path: string,
  region: Region | undefined,
  context: ReadContext,
): Plan<ZarrValues> {
  const node = yield* findNode(tree, normalPath(path));
  if (node === undefined) throw new ZarrError("not-found", `${tree.name}: there is no ${path}`);
  if (!isArray(node))
    throw new ZarrError("invalid-argument", `${tree.name}: ${path} is a group, not an array`);
  const { shape, type } = node.node;
  const box =
    region === undefined ? { start: shape.map(() => 0), end: shape } : checkRegion(region, shape, path);
  const decoded = yield* readRegion(node, box, context);
  return toValues(decoded, type, product(box.start.map((start, axis) => box.end[axis]! - start)));
}

function checkRegion(region: Region, shape: readonly number[], path: string): Region {
  const { start, end } = region;
  const valid =
    start.length === shape.length &&
    end.length === shape.length &&
    shape.every((side, axis) => {
      const [from, to] = [start[axis]!, end[axis]!];
      return Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= side;
    });
  if (valid) return region;
  throw new ZarrError(
    "invalid-argument",
    `${path}: the region [${start}] to [${end}] is not inside [${shape}]`,
  );
}
