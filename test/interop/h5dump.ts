import { spawnSync } from "node:child_process";
import type { DatasetInfo, H5Attribute, H5Type } from "@cytomesh/hdf5";

/** What `h5dump -H -p` (HDF5's own tools) says of a file, as blocks, and how it would say what our reader found. */

/** undefined when h5dump runs here; else why not. */
export function withoutTools(): string | undefined {
  const found = spawnSync("h5dump", ["--version"]);
  return found.error === undefined ? undefined : "h5dump is not installed (Debian: hdf5-tools)";
}

/** Runs one of the tools; anything it says on the error stream is an error. */
export function runTool(tool: "h5dump" | "h5ls" | "h5stat", args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(tool, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (error !== undefined) throw error;
  if (status === 0 && stderr === "") return stdout;
  throw new Error(`${tool} ${args.join(" ")} ended with ${status}: ${stderr}`);
}

interface Block {
  /** For example `DATASET "data"`. */
  head: string;
  /** Lines and blocks inside, in their order. */
  inside: (string | Block)[];
}

/** Lines that end in "{" open a block, lines that begin with "}" close it; all else is one statement. */
function parseBlocks(text: string): Block {
  const root: Block = { head: "", inside: [] };
  const stack = [root];
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line === "") continue;
    if (line.startsWith("}")) {
      const closed = stack.pop()!;
      // The name of a member stands behind its type.
      if (line.length > 1) closed.head += ` ${line.slice(1).trim()}`;
    } else if (line.endsWith("{")) {
      const block: Block = { head: line.slice(0, -1).trim().replaceAll(/\s+/g, " "), inside: [] };
      stack.at(-1)!.inside.push(block);
      stack.push(block);
    } else stack.at(-1)!.inside.push(line.replaceAll(/\s+/g, " "));
  }
  if (stack.length !== 1) throw new Error(`${stack.length - 1} blocks of h5dump are not closed`);
  return root;
}

export interface DumpedDataset {
  type: string;
  space: string;
  /** Shape of a chunk. */
  chunks: string | undefined;
  filters: string[];
  fill: string;
}

export interface Dumped {
  groups: Map<string, string[]>;
  datasets: Map<string, DumpedDataset>;
  /** By path and name: type and dataspace. */
  attributes: Map<string, { type: string; space: string }>;
  /** Links of other kinds than the first to an object, by path. */
  links: Map<string, string>;
}

/** Structure, types, filters and attributes of a file. Names must not hold quotes or line breaks. */
export function dump(path: string): Dumped {
  const out: Dumped = { groups: new Map(), datasets: new Map(), attributes: new Map(), links: new Map() };
  const file = parseBlocks(runTool("h5dump", ["-H", "-p", path])).inside[0] as Block;
  for (const part of file.inside) {
    if (typeof part !== "string" && part.head.startsWith("GROUP")) addGroup(part, "", out);
  }
  return out;
}

const nameOf = (block: Block): string => block.head.slice(block.head.indexOf('"') + 1, -1);
const line = (block: Block, start: string): string | undefined =>
  block.inside.find((part): part is string => typeof part === "string" && part.startsWith(start));
const child = (block: Block, head: string): Block | undefined =>
  block.inside.find((part): part is Block => typeof part !== "string" && part.head.startsWith(head));

function addGroup(group: Block, path: string, out: Dumped): void {
  const hard = line(group, "HARDLINK");
  const at = path === "" ? "/" : path;
  if (hard !== undefined) {
    out.links.set(at, hard);
    return;
  }
  const names: string[] = [];
  addAttributes(group, at, out);
  for (const part of group.inside) {
    if (typeof part === "string") continue;
    const [kind] = part.head.split(" ");
    if (kind === "ATTRIBUTE") continue;
    const below = `${path}/${nameOf(part)}`;
    names.push(nameOf(part));
    if (kind === "GROUP") addGroup(part, below, out);
    else if (kind === "DATASET") addDataset(part, below, out);
    else out.links.set(below, [kind, ...part.inside].join(" "));
  }
  out.groups.set(at, names);
}

function addDataset(dataset: Block, path: string, out: Dumped): void {
  const hard = line(dataset, "HARDLINK");
  if (hard !== undefined) {
    out.links.set(path, hard);
    return;
  }
  addAttributes(dataset, path, out);
  const layout = child(dataset, "STORAGE_LAYOUT")!;
  const filters = child(dataset, "FILTERS")!;
  out.datasets.set(path, {
    type: typeIn(dataset),
    space: spaceIn(dataset),
    chunks: line(layout, "CHUNKED")?.slice("CHUNKED ".length),
    filters: filters.inside
      .map((part) =>
        typeof part === "string" ? part : `${line(part, "FILTER_ID")} ${line(part, "PARAMS") ?? ""}`.trim(),
      )
      .filter((filter) => filter !== "NONE"),
    fill: line(child(dataset, "FILLVALUE")!, "VALUE")!.slice("VALUE ".length),
  });
}

function addAttributes(node: Block, path: string, out: Dumped): void {
  for (const part of node.inside) {
    if (typeof part === "string" || !part.head.startsWith("ATTRIBUTE")) continue;
    out.attributes.set(`${path}@${nameOf(part)}`, { type: typeIn(part), space: spaceIn(part) });
  }
}

const spaceIn = (node: Block): string => line(node, "DATASPACE")!.slice("DATASPACE ".length);

function typeIn(node: Block): string {
  const simple = line(node, "DATATYPE");
  if (simple !== undefined) return simple.slice("DATATYPE ".length);
  return typeText(child(node, "DATATYPE")!).slice("DATATYPE ".length);
}

/** A type in one line; committed types and their names are left out. */
function typeText({ head, inside }: Block): string {
  const body = inside.map((part) => (typeof part === "string" ? part : `${typeText(part)}`));
  const named = /^(.*?)( "[^"]*";)$/.exec(head);
  return `${named?.[1] ?? head} { ${body.join(" ")} }${named?.[2] ?? ""}`;
}

/** The type as h5dump prints it. @returns undefined for what the tools print in words of their own */
export function typeAsDumped(type: H5Type, bigEndian: boolean): string | undefined {
  const order = bigEndian ? "BE" : "LE";
  switch (type.kind) {
    case "int":
      return `H5T_STD_${type.signed ? "I" : "U"}${type.size * 8}${order}`;
    case "float":
      return type.size === 2 ? undefined : `H5T_IEEE_F${type.size * 8}${order}`;
    case "string": {
      const size = type.size === "variable" ? "H5T_VARIABLE" : type.size;
      return `H5T_STRING { STRSIZE ${size}; STRPAD *; CSET ${type.utf8 ? "H5T_CSET_UTF8" : "H5T_CSET_ASCII"}; CTYPE H5T_C_S1; }`;
    }
    case "enum": {
      const members = Object.entries(type.members).map(([name, value]) => `"${name}" ${value};`);
      return `H5T_ENUM { ${typeAsDumped(type.base, bigEndian)}; ${members.join(" ")} }`;
    }
    case "compound": {
      const members = type.members.map(({ name, type: of }) => {
        const text = typeAsDumped(of, bigEndian);
        return text === undefined ? undefined : `${text} "${name}";`;
      });
      return members.includes(undefined) ? undefined : `H5T_COMPOUND { ${members.join(" ")} }`;
    }
    default:
      return undefined;
  }
}

/** Padding of strings is not told by our reader, as it does not show in values. */
export function withoutPadding(type: string): string {
  return type.replaceAll(/STRPAD H5T_STR_\w+/g, "STRPAD *");
}

/** How the current size stands in a dataspace. */
export function spaceAsDumped(shape: readonly number[] | undefined): string {
  if (shape === undefined) return "NULL";
  return shape.length === 0 ? "SCALAR" : `SIMPLE { ( ${shape.join(", ")} ) / (`;
}

/** Filters in the words of h5dump, without their parameters where these belong to HDF5 itself. */
export function filtersAsDumped(info: Pick<DatasetInfo, "filters">): string[] {
  return info.filters.map(({ id, values }) => {
    if (id === 1) return `COMPRESSION DEFLATE { LEVEL ${values[0]} }`;
    if (id === 2) return "PREPROCESSING SHUFFLE";
    if (id === 3) return "CHECKSUM FLETCHER32";
    return `FILTER_ID ${id} PARAMS { ${values.join(" ")} }`;
  });
}

export function attributeAsDumped({ type, shape }: H5Attribute): {
  type: string | undefined;
  space: string;
} {
  return { type: typeAsDumped(type, false), space: spaceAsDumped(shape) };
}
