import { Hdf5Error } from "../errors.ts";
import { ChunkEncoder } from "../parallel/chunk-encoder.ts";
import type { AppendableDataset, AttributeInput, H5Numbers, H5Type, H5Writer } from "../types.ts";
import { ChunkedWriter, type Sink, writeDataset } from "./dataset-writer.ts";
import { attributeMessages, groupMessages, type Named } from "./dense.ts";
import { encodeValues } from "./encode-values.ts";
import { FileSpace } from "./file-space.ts";
import {
  attributeMessage,
  type LinkTarget,
  linkMessage,
  type Message,
  objectHeader,
  referenceCountMessage,
} from "./messages.ts";

/** Kept in memory until finish(): headers can only be written once everything below them has an address. */
interface Node {
  messages: Message[];
  attributes: Named[];
  /** Present in groups. */
  children?: Map<string, Node | LinkTarget>;
  pending?: ChunkedWriter;
  /** Hard links that lead here besides the first. */
  moreLinks: number;
  address?: number;
}

const stringType: H5Type = { kind: "string", size: "variable", utf8: true };
/** HDF5 takes 64 KiB; readers bound paths, ours among them. */
const maxPathLength = 4096;

const booleanType: H5Type = {
  kind: "enum",
  base: { kind: "int", size: 1, signed: true },
  members: { FALSE: 0, TRUE: 1 },
};

/** How a file is written; nothing has to be said. */
export interface WriterOptions {
  /**
   * Threads that encode chunks, this one included; default 1. With more, chunks of up to 1 MiB are given to others once the file has
   * 4 MiB of them; at most `4 x threads` wait at a time. All calls stay synchronous, and the bytes of the file are the same.
   */
  threads?: number;
}

/**
 * Creates (or overwrites) an HDF5 file: superblock 2, version 2 object headers, version 1 chunk B-trees; links and attributes in
 * headers, or in fractal heaps where they are many or big. HDF5 1.8 and later read it. h5wasm cannot write enums (AnnData's booleans)
 * and stamps modification times, so files are written here.
 *
 * @throws Hdf5Error "write-failed" | "permission-denied" | "invalid-argument"
 */
export function createH5(path: string, { threads = 1 }: WriterOptions = {}): H5Writer {
  if (!(Number.isInteger(threads) && threads > 0)) {
    throw new Hdf5Error("invalid-argument", `${path}: ${threads} threads, expected at least 1`);
  }
  const space = new FileSpace(path);
  const encoder = new ChunkEncoder(threads);
  space.settle = () => encoder.settle();
  const sink: Sink = { space, encoder };
  const root: Node = { ...emptyNode(), children: new Map() };
  let open = true;

  function find(where: string): Node {
    if (!open) throw new Hdf5Error("closed", `${path} is finished`);
    let node: Node = root;
    for (const name of names(where)) {
      const child = node.children?.get(name);
      if (child === undefined || !("messages" in child)) {
        throw new Hdf5Error("not-found", `${path}: there is no ${where} yet`);
      }
      node = child;
    }
    return node;
  }

  function add(where: string, child: Node | LinkTarget): void {
    const parts = names(where);
    const name = parts.pop();
    if (where.length > maxPathLength || name?.isWellFormed() === false || name?.includes("\0"))
      throw new Hdf5Error(
        "invalid-argument",
        `${path}: ${JSON.stringify(where.slice(0, 60))} (${where.length} characters) is no name that HDF5 can hold`,
      );
    const parent = find(parts.join("/"));
    if (name === undefined || parent.children === undefined) {
      throw new Hdf5Error("invalid-argument", `${path}: ${where} cannot be created there`);
    }
    if (parent.children.has(name))
      throw new Hdf5Error("invalid-argument", `${path}: ${where} is written twice`);
    parent.children.set(name, child);
  }

  return {
    group: (where) => add(where, { ...emptyNode(), children: new Map() }),
    attribute: (where, name, value) => {
      const { type, shape, values } = normalise(value);
      const count = shape === undefined ? 0 : shape.reduce((product, dim) => product * dim, 1);
      const bytes = encodeValues(space, type, values, count, `${where}, attribute ${name}`);
      const { attributes } = find(where);
      if (attributes.some((other) => other.name === name)) {
        throw new Hdf5Error("invalid-argument", `${where}: attribute ${name} is written twice`);
      }
      attributes.push({ name, message: attributeMessage(name, type, shape, bytes, where) });
    },
    dataset: (where, input, values) => {
      const node = emptyNode();
      add(where, node);
      node.messages = writeDataset(sink, input, values, where);
    },
    appendable: (where, input): AppendableDataset => {
      const pending = new ChunkedWriter(sink, input, where);
      add(where, { ...emptyNode(), pending });
      return pending;
    },
    softLink: (where, target) => add(where, { soft: target }),
    externalLink: (where, file, target) => add(where, { file, target }),
    hardLink: (where, existing) => {
      const target = names(existing);
      if (target.every((name, i) => names(where)[i] === name)) {
        throw new Hdf5Error("invalid-argument", `${path}: ${where} would contain itself`);
      }
      const node = find(existing);
      add(where, node);
      node.moreLinks++;
    },
    finish: () => {
      if (!open) throw new Hdf5Error("closed", `${path} is finished`);
      const address = writeNode(space, root);
      open = false;
      encoder.close();
      space.finish(address);
    },
    abort: () => {
      if (open) {
        encoder.close();
        space.close();
      }
      open = false;
    },
  };
}

function emptyNode(): Node {
  return { messages: [], attributes: [], moreLinks: 0 };
}

function writeNode(space: FileSpace, node: Node): number {
  if (node.address !== undefined) return node.address;
  if (node.pending !== undefined) node.messages = node.pending.finish();
  if (node.children !== undefined) {
    const links = [...node.children].map(([name, child]) => ({
      name,
      message: linkMessage(name, "messages" in child ? { address: writeNode(space, child) } : child),
    }));
    node.messages = groupMessages(space, links);
  }
  const attributes = attributeMessages(space, node.attributes);
  const links = node.moreLinks === 0 ? [] : [referenceCountMessage(node.moreLinks + 1)];
  node.address = space.append(objectHeader([...node.messages, ...links, ...attributes]));
  return node.address;
}

function names(where: string): string[] {
  return where.split("/").filter((name) => name !== "");
}

function normalise(value: AttributeInput): {
  type: H5Type;
  shape: readonly number[] | undefined;
  values: H5Numbers | readonly string[];
} {
  if (typeof value === "string") return { type: stringType, shape: [], values: [value] };
  if (typeof value === "boolean")
    return { type: booleanType, shape: [], values: Int8Array.of(value ? 1 : 0) };
  if (typeof value === "number") {
    return Number.isSafeInteger(value)
      ? { type: { kind: "int", size: 8, signed: true }, shape: [], values: BigInt64Array.of(BigInt(value)) }
      : { type: { kind: "float", size: 8 }, shape: [], values: Float64Array.of(value) };
  }
  return value;
}
