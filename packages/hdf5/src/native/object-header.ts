import { Hdf5Error } from "../errors.ts";
import { BeyondNative } from "./beyond-native.ts";
import { Cursor } from "./cursor.ts";
import type { FileBytes } from "./file-bytes.ts";
import { verify } from "./file-bytes.ts";

export const messageTypes = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  oldFill: 0x04,
  fill: 0x05,
  link: 0x06,
  external: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  sharedTable: 0x0f,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

const flags = { shared: 0x02, failAlways: 0x80 };
/** An object with more blocks or messages than this is no object. */
const maxBlocks = 4096;
const maxMessages = 262_144;
/** Bytes of a message before its body: type, size, flags, reserved. */
const oldMessageHead = 8;

export interface Message {
  type: number;
  /** The body is a reference to a message that stands elsewhere. */
  shared: boolean;
  body: Uint8Array;
}

/**
 * All messages of an object, continuation blocks included. Version 2 headers are verified by their checksums.
 * Source: HDF5 file format specification 3.0, IV.A.1.
 *
 * @throws Hdf5Error "corrupt"
 */
export function readObjectHeader(file: FileBytes, address: number): Message[] {
  const what = `object header at ${address}`;
  const start = file.read(address, 4, what);
  return start[0] === 0x4f ? readNew(file, address, what) : readOld(file, address, what);
}

function readOld(file: FileBytes, address: number, what: string): Message[] {
  const head = file.cursor(address, 16, what);
  head.expectVersion(1);
  head.skip(1);
  const declared = head.u16();
  head.skip(4);
  const size = head.u32();
  const messages: Message[] = [];
  const blocks: [number, number][] = [[address + 16, size]];
  for (let i = 0; i < blocks.length; i++) {
    if (i >= maxBlocks)
      throw new Hdf5Error("corrupt", `${file.path}: ${what}: more than ${maxBlocks} blocks`);
    const cursor = file.cursor(blocks[i]![0], blocks[i]![1], what);
    while (messages.length < declared && cursor.left >= oldMessageHead) {
      const type = cursor.u16();
      const length = cursor.u16();
      const bits = cursor.u8();
      cursor.skip(3);
      add(file, messages, blocks, type, bits, cursor.take(length), what);
    }
  }
  return messages;
}

function readNew(file: FileBytes, address: number, what: string): Message[] {
  const head = file.cursor(address, 6, what);
  head.expect("OHDR");
  head.expectVersion(2);
  const bits = head.u8();
  const sizeWidth = 1 << (bits & 3);
  const before = 6 + ((bits & 0x20) !== 0 ? 16 : 0) + ((bits & 0x10) !== 0 ? 4 : 0);
  const size = file.cursor(address + before, sizeWidth, what).uint(sizeWidth);
  const total = before + sizeWidth + size + 4;
  const whole = file.read(address, total, what);
  verify(whole, `${file.path}: ${what}`);
  const messages: Message[] = [];
  const blocks: [number, number][] = [];
  const ordered = (bits & 0x04) !== 0;
  readBlock(file, messages, blocks, whole.subarray(before + sizeWidth, total - 4), ordered, what);
  for (let i = 0; i < blocks.length; i++) {
    if (i >= maxBlocks)
      throw new Hdf5Error("corrupt", `${file.path}: ${what}: more than ${maxBlocks} blocks`);
    const cursor = file.checked(blocks[i]![0], blocks[i]![1], what);
    cursor.expect("OCHK");
    readBlock(file, messages, blocks, cursor.take(cursor.left), ordered, what);
  }
  return messages;
}

function readBlock(
  file: FileBytes,
  messages: Message[],
  blocks: [number, number][],
  bytes: Uint8Array,
  ordered: boolean,
  what: string,
): void {
  const cursor = new Cursor(bytes, file.widths, `${file.path}: ${what}`);
  const headBytes = ordered ? 6 : 4;
  // What is too short for a message is a gap.
  while (cursor.left >= headBytes) {
    const type = cursor.u8();
    const length = cursor.u16();
    const bits = cursor.u8();
    if (ordered) cursor.skip(2);
    add(file, messages, blocks, type, bits, cursor.take(length), what);
  }
}

function add(
  file: FileBytes,
  messages: Message[],
  blocks: [number, number][],
  type: number,
  bits: number,
  body: Uint8Array,
  what: string,
): void {
  if (messages.length >= maxMessages) {
    throw new Hdf5Error("corrupt", `${file.path}: ${what}: more than ${maxMessages} messages`);
  }
  messages.push({ type, shared: (bits & flags.shared) !== 0, body });
  if (type === messageTypes.continuation) {
    const cursor = new Cursor(body, file.widths, `${file.path}: ${what}: continuation`);
    const at = cursor.address();
    if (at === undefined)
      throw new Hdf5Error("corrupt", `${file.path}: ${what}: continuation without address`);
    blocks.push([at, cursor.length()]);
  } else if (type > 0x18 && (bits & flags.failAlways) !== 0) {
    throw new BeyondNative(
      `${file.path}: ${what}: message type ${type}, which may not be ignored, is not known`,
    );
  }
}
