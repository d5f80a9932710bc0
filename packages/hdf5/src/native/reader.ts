import { elementCount } from "../blocks.ts";
import { Hdf5Error } from "../errors.ts";
import { splitPath } from "../links.ts";
import type { DatasetInfo, H5Attribute, H5Kind, H5Reader, H5Values } from "../types.ts";
import { readAttributes, type StoredAttribute } from "./attributes.ts";
import { createChunkCache } from "./chunk-cache.ts";
import { isDataset, readDataset, type StoredDataset } from "./dataset.ts";
import { type DecodeContext, decodeElements } from "./elements.ts";
import { openGlobalHeap } from "./global-heap.ts";
import { isGroup, type Link, readLinks } from "./group.ts";
import { type Message, messageTypes, readObjectHeader } from "./object-header.ts";
import { type Box, readBox } from "./read-rows.ts";
import { openShared } from "./shared.ts";
import { checkFilters, outOfRange, storageOf } from "./storage.ts";
import { publicType, type StoredType } from "./stored-type.ts";
import { openSuperblock } from "./superblock.ts";

const maxHops = 16;
const maxPathChars = 4_096;
const maxAttributeBytes = 64 * 1024 * 1024;
const chunkCacheBytes = 32 * 1024 * 1024;
/** Objects whose header, links and attributes are kept: neighbours in a file are asked for together. */
const maxObjects = 1_024;

/** What is known of one object so far. */
interface StoredObject {
  messages: Message[];
  links?: Map<string, Link>;
  attributes?: Map<string, StoredAttribute>;
}

export interface NativeOptions {
  /** Largest array that one read may return. */
  maxBytes: number;
}

/**
 * Opens a file with the reader written here: no library, nothing loaded. What it does not know is thrown as "unsupported", per
 * object, so that a fallback can take over.
 *
 * @throws Hdf5Error
 */
export function openNative(path: string, { maxBytes }: NativeOptions): H5Reader {
  const { bytes: file, root, extension } = openSuperblock(path);
  const resolve = openShared(file, extension);
  const heap = openGlobalHeap(file);
  const chunks = createChunkCache(chunkCacheBytes);
  const objects = new Map<number, StoredObject>();
  const datasets = new Map<string, StoredDataset>();
  const paths = new Map<string, { path: string; address: number } | undefined>();
  let open = true;

  function begin(): void {
    if (!open) throw new Hdf5Error("closed", `${path} is closed`);
    file.renew();
  }

  function objectAt(address: number): StoredObject {
    const known = objects.get(address);
    if (known !== undefined) return known;
    const object = { messages: readObjectHeader(file, address) };
    limit(objects, maxObjects);
    objects.set(address, object);
    return object;
  }

  function linksAt(address: number, where: string): Map<string, Link> | undefined {
    const object = objectAt(address);
    if (!isGroup(object.messages)) return undefined;
    object.links ??= readLinks(file, object.messages, where);
    return object.links;
  }

  /** Follows hard and soft links from the root; undefined where one is missing. */
  function find(where: string): { path: string; address: number } | undefined {
    if (paths.has(where)) return paths.get(where);
    const found = walk(where);
    limit(paths, maxObjects);
    paths.set(where, found);
    return found;
  }

  function close(): void {
    if (!open) return;
    open = false;
    file.close();
    chunks.clear();
    objects.clear();
    datasets.clear();
    paths.clear();
  }

  function walk(where: string): { path: string; address: number } | undefined {
    if (where.length > maxPathChars) {
      throw new Hdf5Error("invalid-argument", `a path of ${where.length} characters is too long`);
    }
    const pending = splitPath(where).reverse();
    let trail: { name: string; address: number }[] = [];
    let hops = 0;
    while (pending.length > 0) {
      const name = pending.pop()!;
      const here = `/${[...trail.map((step) => step.name), name].join("/")}`;
      const link = linksAt(trail.at(-1)?.address ?? root, here)?.get(name);
      if (link === undefined) return undefined;
      if (link.kind === "hard") {
        trail.push({ name, address: link.address });
        continue;
      }
      if (link.kind !== "soft") throw refused(link, here);
      if (++hops > maxHops || pending.length > maxPathChars) {
        throw new Hdf5Error(
          "refused-link",
          `${where}: more than ${maxHops} soft links on the way; do they form a circle?`,
        );
      }
      pending.push(...splitPath(link.target).reverse());
      if (link.target.startsWith("/")) trail = [];
    }
    return { path: `/${trail.map((step) => step.name).join("/")}`, address: trail.at(-1)?.address ?? root };
  }

  function locate(where: string): { path: string; object: StoredObject } {
    const found = find(where);
    if (found === undefined) throw new Hdf5Error("not-found", `${path}: there is no ${where}`);
    return { path: found.path, object: objectAt(found.address) };
  }

  function attributesOf(where: string): Map<string, StoredAttribute> {
    const { path: at, object } = locate(where);
    object.attributes ??= readAttributes(file, resolve, object.messages, at);
    return object.attributes;
  }

  function storedDataset(where: string): StoredDataset {
    const { path: at, object } = locate(where);
    const known = datasets.get(at);
    if (known !== undefined) return known;
    if (!isDataset(object.messages)) throw new Hdf5Error("not-found", `${at} is not a dataset`);
    const stored = readDataset(file, resolve, object.messages, at);
    limit(datasets, maxObjects);
    datasets.set(at, stored);
    return stored;
  }

  function decode(bytes: Uint8Array<ArrayBuffer>, type: StoredDataset["type"], where: string): H5Values {
    let left = maxBytes;
    const context: DecodeContext = {
      heap,
      addressBytes: file.widths.address,
      spend(count) {
        left -= count;
        if (left < 0) {
          throw new Hdf5Error(
            "too-large",
            `${where}: its values take more than the limit of ${maxBytes} bytes`,
          );
        }
      },
    };
    return decodeElements(bytes, type, context, where);
  }

  function readAttribute(where: string, name: string): H5Attribute | undefined {
    const attribute = attributesOf(where).get(name);
    if (attribute === undefined) return undefined;
    const label = `${where}, attribute ${name}`;
    const { type, space, data } = attribute.parse();
    const bytes = elementCount(space.shape) * type.size;
    if (bytes > maxAttributeBytes) {
      throw new Hdf5Error("too-large", `${label} has ${bytes} bytes, at most ${maxAttributeBytes} are read`);
    }
    if (bytes > data.length) {
      throw new Hdf5Error("corrupt", `${path}: ${label}: ${bytes} bytes expected, ${data.length} are stored`);
    }
    const values = type.kind === "other" ? [] : decode(new Uint8Array(data.subarray(0, bytes)), type, label);
    return { type: publicType(type), shape: space.shape, values };
  }

  function read(
    info: DatasetInfo,
    start = 0,
    end?: number,
    columns?: readonly [number, number],
    into?: Uint8Array<ArrayBuffer>,
  ): H5Values {
    const stored = storedDataset(info.path);
    const where = info.path;
    const { shape } = stored.info;
    if (shape === undefined) return decode(new Uint8Array(0), stored.type, where);
    const box = boxOf(where, shape, start, end ?? shape[0] ?? 1, columns);
    const elements = elementCount(box.end.map((to, axis) => to - box.start[axis]!));
    const bytes = elements * stored.type.size;
    if (bytes > maxBytes) {
      const rows = shape.length === 0 ? 1 : box.end[0]! - box.start[0]!;
      throw new Hdf5Error(
        "too-large",
        `${where}: reading ${rows} rows takes ${bytes} bytes, the limit is ${maxBytes}`,
      );
    }
    if (elements === 0) return decode(new Uint8Array(0), stored.type, where);
    if (stored.type.kind === "other") return decode(new Uint8Array(0), stored.type, where);
    checkFilters(stored);
    const out = isNumber(stored.type) && fits(into, bytes) ? into.subarray(0, bytes) : new Uint8Array(bytes);
    readBox(file, stored, box, chunks, out);
    return decode(out, stored.type, where);
  }

  return {
    path,
    sizeBytes: file.sizeBytes,
    maxBytes,
    kind(where) {
      begin();
      const found = find(where);
      return found === undefined ? undefined : kindOf(objectAt(found.address).messages);
    },
    realPath(where) {
      begin();
      return find(where)?.path;
    },
    children(where) {
      begin();
      const found = find(where);
      if (found === undefined) throw new Hdf5Error("not-found", `${path}: there is no ${where}`);
      const links = linksAt(found.address, found.path);
      if (links === undefined) throw new Hdf5Error("not-found", `${found.path} is not a group`);
      return [...links.keys()];
    },
    attributeNames(where) {
      begin();
      return [...attributesOf(where).keys()];
    },
    attribute(where, name) {
      begin();
      return readAttribute(where, name);
    },
    dataset(where) {
      begin();
      return storedDataset(where).info;
    },
    read(info, start, end, columns, into) {
      begin();
      return read(info, start, end, columns, into);
    },
    storage(info) {
      begin();
      return storageOf(file, storedDataset(info.path), begin);
    },
    close,
    [Symbol.dispose]: close,
  };
}

function isNumber(type: StoredType): boolean {
  return type.kind === "int" || type.kind === "float" || (type.kind === "enum" && isNumber(type.base));
}

function fits(into: Uint8Array<ArrayBuffer> | undefined, bytes: number): into is Uint8Array<ArrayBuffer> {
  return into !== undefined && into.byteOffset === 0 && into.length >= bytes;
}

function kindOf(messages: readonly Message[]): H5Kind | undefined {
  if (isDataset(messages)) return "dataset";
  if (isGroup(messages)) return "group";
  return messages.some(({ type }) => type === messageTypes.datatype) ? "datatype" : undefined;
}

function refused(link: Link, here: string): Hdf5Error {
  if (link.kind === "external") {
    return new Hdf5Error(
      "refused-link",
      `${here} is an external link to ${JSON.stringify(link.file)}; links out of the file are not followed`,
    );
  }
  return new Hdf5Error(
    "refused-link",
    `${here} is a link of a kind defined by its writer; it is not followed`,
  );
}

function boxOf(
  where: string,
  shape: readonly number[],
  start: number,
  end: number,
  columns: readonly [number, number] | undefined,
): Box {
  const rows = shape[0] ?? 1;
  const valid = (from: number, to: number, size: number): boolean =>
    Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= size;
  if (!valid(start, end, rows)) throw outOfRange(where, start, end, rows);
  const box: Box = { start: shape.map(() => 0), end: shape.slice() };
  if (shape.length > 0) {
    box.start[0] = start;
    box.end[0] = end;
  } else if (start === end) return { start: [0], end: [0] };
  if (columns === undefined) return box;
  if (shape.length < 2 || !valid(columns[0], columns[1], shape[1]!)) {
    throw new Hdf5Error(
      "invalid-argument",
      `${where}: columns ${columns[0]} to ${columns[1]} asked for, its shape is [${shape}]`,
    );
  }
  [box.start[1], box.end[1]] = columns;
  return box;
}

/** Makes room for one more. */
function limit<K>(map: Map<K, unknown>, size: number): void {
  if (map.size >= size) map.delete(map.keys().next().value!);
}
