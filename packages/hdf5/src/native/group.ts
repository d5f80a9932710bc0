import { Hdf5Error } from "../errors.ts";
import { visitRecords } from "./b-tree-2.ts";
import { type Cursor, nameText } from "./cursor.ts";
import type { FileBytes } from "./file-bytes.ts";
import { openFractalHeap } from "./fractal-heap.ts";
import { bodyCursor } from "./messages.ts";
import { type Message, messageTypes } from "./object-header.ts";

export type Link =
  | { kind: "hard"; address: number }
  | { kind: "soft"; target: string }
  | { kind: "external"; file: string; target: string }
  | { kind: "unknown"; type: number };

const maxLinks = 4_000_000;
const maxTreeDepth = 64;
/** Bytes of an entry's scratch space. */
const scratchBytes = 16;

/** An object is a group when it says where its links are. */
export function isGroup(messages: readonly Message[]): boolean {
  return messages.some(({ type }) => type === messageTypes.symbolTable || type === messageTypes.linkInfo);
}

/**
 * The links of a group, in the order of their names: those in the header itself, in a symbol table (B-tree version 1 and
 * local heap) or in a fractal heap. Source: HDF5 file format specification 3.0, III.A to III.D, IV.A.2.c, IV.A.2.g, IV.A.2.r.
 *
 * @throws Hdf5Error "corrupt" | "unsupported"
 */
export function readLinks(file: FileBytes, messages: readonly Message[], what: string): Map<string, Link> {
  const links: [string, Link][] = [];
  const add = (name: string, link: Link): void => {
    if (links.length >= maxLinks)
      throw new Hdf5Error("corrupt", `${file.path}: ${what}: more than ${maxLinks} links`);
    links.push([name, link]);
  };
  for (const { type, body } of messages) {
    const cursor = bodyCursor(file, body, `links of ${what}`);
    if (type === messageTypes.link) readLink(cursor, add);
    else if (type === messageTypes.linkInfo) readDenseLinks(file, cursor, add);
    else if (type === messageTypes.symbolTable) readSymbolTable(file, cursor, add);
  }
  links.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return new Map(links);
}

function readLink(cursor: Cursor, add: (name: string, link: Link) => void): void {
  cursor.expectVersion(1);
  const bits = cursor.u8();
  const type = (bits & 0x08) !== 0 ? cursor.u8() : 0;
  if ((bits & 0x04) !== 0) cursor.skip(8);
  if ((bits & 0x10) !== 0) cursor.skip(1);
  const nameBytes = cursor.uint(1 << (bits & 3));
  const name = nameText(cursor.take(nameBytes));
  if (type === 0) {
    const address = cursor.address();
    if (address === undefined) throw new Hdf5Error("corrupt", `${cursor.what}: ${name} leads nowhere`);
    add(name, { kind: "hard", address });
    return;
  }
  const value = cursor.take(cursor.u16());
  if (type === 1) add(name, { kind: "soft", target: nameText(value) });
  else if (type === 64) {
    const parts = cursor.over(value);
    parts.skip(1);
    add(name, { kind: "external", file: nameText(parts.untilNul()), target: nameText(parts.untilNul()) });
  } else add(name, { kind: "unknown", type });
}

function readDenseLinks(file: FileBytes, cursor: Cursor, add: (name: string, link: Link) => void): void {
  cursor.expectVersion(0);
  const bits = cursor.u8();
  if ((bits & 1) !== 0) cursor.skip(8);
  const heapAt = cursor.address();
  const indexAt = cursor.address();
  if (heapAt === undefined || indexAt === undefined) return;
  const readObject = openFractalHeap(file, heapAt);
  visitRecords(file, indexAt, [5], (record) => {
    record.skip(4);
    readLink(cursor.over(readObject(record.take(record.left))), add);
  });
}

function readSymbolTable(file: FileBytes, cursor: Cursor, add: (name: string, link: Link) => void): void {
  const treeAt = cursor.address();
  const heapAt = cursor.address();
  if (treeAt === undefined || heapAt === undefined) {
    throw new Hdf5Error("corrupt", `${cursor.what}: a symbol table without tree or heap`);
  }
  const names = readLocalHeap(file, heapAt);
  const seen = new Set<number>();

  function visit(address: number, level: number | undefined): void {
    if (seen.has(address) || seen.size > maxLinks) {
      throw new Hdf5Error("corrupt", `${file.path}: the group's B-tree reaches the node at ${address} twice`);
    }
    seen.add(address);
    const what = `group B-tree node at ${address}`;
    const { address: addressWidth, length: lengthWidth } = file.widths;
    const head = file.cursor(address, 8 + 2 * addressWidth, what);
    head.expect("TREE");
    const type = head.u8();
    const own = head.u8();
    const count = head.u16();
    if (type !== 0 || own > maxTreeDepth || (level !== undefined && own !== level)) {
      throw new Hdf5Error("corrupt", `${head.what}: type ${type} and level ${own}`);
    }
    const body = file.cursor(address + 8 + 2 * addressWidth, count * (lengthWidth + addressWidth), what);
    for (let i = 0; i < count; i++) {
      body.skip(lengthWidth);
      const child = body.address();
      if (child === undefined) throw new Hdf5Error("corrupt", `${body.what}: child ${i} has no address`);
      if (own > 0) visit(child, own - 1);
      else readSymbols(child);
    }
  }

  function readSymbols(address: number): void {
    if (seen.has(address)) {
      throw new Hdf5Error("corrupt", `${file.path}: the group's B-tree reaches the node at ${address} twice`);
    }
    seen.add(address);
    const what = `symbol table node at ${address}`;
    const head = file.cursor(address, 8, what);
    head.expect("SNOD");
    head.expectVersion(1);
    head.skip(1);
    const count = head.u16();
    const entryBytes = file.widths.length + file.widths.address + 8 + scratchBytes;
    const body = file.cursor(address + 8, count * entryBytes, what);
    for (let i = 0; i < count; i++) {
      const name = textAt(names, body.length(), body.what);
      const object = body.address();
      const cacheType = body.u32();
      body.skip(4);
      const scratch = body.over(body.take(scratchBytes));
      if (cacheType === 2) add(name, { kind: "soft", target: textAt(names, scratch.u32(), body.what) });
      else if (object === undefined) throw new Hdf5Error("corrupt", `${body.what}: ${name} leads nowhere`);
      else add(name, { kind: "hard", address: object });
    }
  }

  visit(treeAt, undefined);
}

function readLocalHeap(file: FileBytes, address: number): Uint8Array {
  const what = `local heap at ${address}`;
  const head = file.cursor(address, 8 + 2 * file.widths.length + file.widths.address, what);
  head.expect("HEAP");
  head.expectVersion(0);
  head.skip(3);
  const size = head.length();
  head.length();
  const data = head.address();
  if (data === undefined) throw new Hdf5Error("corrupt", `${head.what}: it has no data`);
  return file.read(data, size, what);
}

function textAt(heap: Uint8Array, at: number, what: string): string {
  const end = at < heap.length ? heap.indexOf(0, at) : -1;
  if (end < 0) throw new Hdf5Error("corrupt", `${what}: the name at ${at} lies outside of the local heap`);
  return nameText(heap.subarray(at, end));
}
