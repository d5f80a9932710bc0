import { isUtf8 } from "node:buffer";
import { fromHalves } from "@cytomesh/codecs";
import { Hdf5Error } from "../errors.ts";
import type { H5Numbers, H5Sequences, H5Values } from "../types.ts";
import type { GlobalHeap } from "./global-heap.ts";
import type { StoredType } from "./stored-type.ts";

/** What decoding may use beside the elements themselves. */
export interface DecodeContext {
  heap: GlobalHeap;
  addressBytes: number;
  /** Takes bytes of variable-length values from what one read may return; throws when it is used up. */
  spend(bytes: number): void;
}

/**
 * Elements as they stand in the file → values. `bytes` is owned by the caller and given away: numbers become a view of it.
 *
 * @param bytes a whole number of elements, from offset 0 of its buffer
 * @throws Hdf5Error "unsupported" | "corrupt" | "too-large"
 */
export function decodeElements(
  bytes: Uint8Array<ArrayBuffer>,
  type: StoredType,
  context: DecodeContext,
  where: string,
): H5Values {
  switch (type.kind) {
    case "int":
      return numbers(bytes, type.size, type.bigEndian, type.signed ? "int" : "uint");
    case "enum":
      return decodeElements(bytes, type.base, context, where);
    case "float":
      return numbers(bytes, type.size, type.bigEndian, "float");
    case "string":
      return fixedStrings(bytes, type, where);
    case "vlen-string":
      return heapStrings(bytes, type.size, context, where);
    case "vlen":
      return sequences(bytes, type, context, where);
    case "array":
      return decodeElements(bytes, type.base, context, where);
    case "compound":
      return members(bytes, type, context, where);
    case "opaque":
      return bytes;
    case "reference":
      return references(bytes, type, context);
    case "other":
      throw new Hdf5Error("unsupported", `${where} has the type ${type.description}, which is not supported`);
  }
}

function numbers(
  bytes: Uint8Array<ArrayBuffer>,
  size: number,
  bigEndian: boolean,
  kind: "int" | "uint" | "float",
): H5Numbers {
  const { buffer, byteOffset } = bytes;
  const count = bytes.length / size;
  if (bigEndian && size > 1) swap(bytes, size);
  if (size === 1) return kind === "int" ? new Int8Array(buffer, byteOffset, count) : bytes;
  if (size === 2) {
    const words = new Uint16Array(buffer, byteOffset, count);
    if (kind === "float") return fromHalves(words);
    return kind === "int" ? new Int16Array(buffer, byteOffset, count) : words;
  }
  if (size === 4) {
    if (kind === "float") return new Float32Array(buffer, byteOffset, count);
    return kind === "int"
      ? new Int32Array(buffer, byteOffset, count)
      : new Uint32Array(buffer, byteOffset, count);
  }
  if (kind === "float") return new Float64Array(buffer, byteOffset, count);
  return kind === "int"
    ? new BigInt64Array(buffer, byteOffset, count)
    : new BigUint64Array(buffer, byteOffset, count);
}

function swap({ buffer, byteOffset, length }: Uint8Array<ArrayBuffer>, size: number): void {
  const bytes = Buffer.from(buffer, byteOffset, length);
  if (size === 2) bytes.swap16();
  else if (size === 4) bytes.swap32();
  else bytes.swap64();
}

function fixedStrings(
  bytes: Uint8Array<ArrayBuffer>,
  { size, padding }: Extract<StoredType, { kind: "string" }>,
  where: string,
): string[] {
  const memory = Buffer.from(bytes.buffer);
  const count = Math.floor(memory.length / size);
  const out = new Array<string>(count);
  for (let i = 0; i < count; i++) {
    const start = i * size;
    let end = start + size;
    if (padding === "nul-terminated") {
      const nul = memory.indexOf(0, start);
      if (nul >= 0 && nul < end) end = nul;
    } else {
      while (end > start && (memory[end - 1] === 0 || (padding === "space" && memory[end - 1] === 32))) end--;
    }
    out[i] = text(memory, start, end, where, i);
  }
  return out;
}

/** A length, the address of a collection and an index in it, each. */
function heapStrings(
  bytes: Uint8Array<ArrayBuffer>,
  size: number,
  context: DecodeContext,
  where: string,
): string[] {
  const count = Math.floor(bytes.length / size);
  const view = new DataView(bytes.buffer);
  const out = new Array<string>(count);
  for (let i = 0; i < count; i++) {
    const reference = referenceAt(view, i * size, 1, context);
    if (reference === undefined) {
      out[i] = "";
      continue;
    }
    const { address, index, length } = reference;
    const plain = context.heap.ascii(address, index, length, where);
    if (plain !== undefined) {
      out[i] = plain;
      continue;
    }
    const found = objectOf(reference, context, where);
    const memory = Buffer.from(found.buffer, found.byteOffset, found.byteLength);
    const nul = memory.indexOf(0);
    out[i] = text(memory, 0, nul < 0 ? memory.length : nul, where, i);
  }
  return out;
}

/** Where a variable-length value lies in the heap. */
interface HeapReference {
  address: number;
  index: number;
  /** In bytes. */
  length: number;
}

function heapObject(
  view: DataView,
  at: number,
  elementBytes: number,
  context: DecodeContext,
  where: string,
): Uint8Array | undefined {
  const reference = referenceAt(view, at, elementBytes, context);
  return reference && objectOf(reference, context, where);
}

function referenceAt(
  view: DataView,
  at: number,
  elementBytes: number,
  context: DecodeContext,
): HeapReference | undefined {
  const length = view.getUint32(at, true) * elementBytes;
  const { addressBytes } = context;
  const address = readAddress(view, at + 4, addressBytes);
  // The library writes no address where there is nothing.
  if (length === 0 || address === undefined || address === 0) return undefined;
  context.spend(length);
  return { address, index: view.getUint32(at + 4 + addressBytes, true), length };
}

function objectOf({ address, index, length }: HeapReference, context: DecodeContext, where: string) {
  const bytes = context.heap.read(address, index, where);
  if (bytes.length < length) {
    throw new Hdf5Error(
      "corrupt",
      `${where}: ${length} bytes expected in object ${index} of the heap at ${address}, it has ${bytes.length}`,
    );
  }
  return bytes.subarray(0, length);
}

function readAddress(view: DataView, at: number, width: number): number | undefined {
  if (width === 2) return view.getUint16(at, true);
  const low = view.getUint32(at, true);
  const high = width === 4 ? 0 : view.getUint32(at + 4, true);
  if (high > 0x1f_ffff)
    return high === 0xffff_ffff && low === 0xffff_ffff ? undefined : Number.MAX_SAFE_INTEGER;
  return high * 2 ** 32 + low;
}

function text(memory: Buffer, start: number, end: number, where: string, i: number): string {
  const found = memory.toString("utf8", start, end);
  // The replacement character shows up for bytes that are no UTF-8, and where it really stands.
  if (found.includes("\ufffd") && !isUtf8(memory.subarray(start, end))) {
    const hex = memory.subarray(start, Math.min(end, start + 16)).toString("hex");
    throw new Hdf5Error(
      "corrupt",
      `${where}: string ${i} is not UTF-8 (bytes ${hex}${end - start > 16 ? "…" : ""})`,
    );
  }
  return found;
}

function sequences(
  bytes: Uint8Array<ArrayBuffer>,
  { size, base }: Extract<StoredType, { kind: "vlen" }>,
  context: DecodeContext,
  where: string,
): H5Sequences {
  const count = Math.floor(bytes.length / size);
  const view = new DataView(bytes.buffer);
  const offsets = new Float64Array(count + 1);
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const found = heapObject(view, i * size, base.size, context, where);
    if (found !== undefined) {
      parts.push(found);
      total += found.length;
    }
    offsets[i + 1] = total / base.size;
  }
  const joined = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return lists(offsets, decodeElements(joined, base, context, where));
}

function lists(offsets: Float64Array, values: H5Values): H5Sequences {
  return {
    length: offsets.length - 1,
    offsets,
    values,
    slice: (start, end) => lists(offsets.subarray(start, end + 1), values),
  };
}

function references(
  bytes: Uint8Array<ArrayBuffer>,
  type: Extract<StoredType, { kind: "reference" }>,
  context: DecodeContext,
): H5Numbers {
  if (type.target === "region") return bytes;
  const view = new DataView(bytes.buffer);
  const count = Math.floor(bytes.length / type.size);
  return BigUint64Array.from({ length: count }, (_, i) =>
    BigInt(readAddress(view, i * type.size, context.addressBytes) ?? 0),
  );
}

function members(
  bytes: Uint8Array<ArrayBuffer>,
  type: Extract<StoredType, { kind: "compound" }>,
  context: DecodeContext,
  where: string,
): Map<string, H5Values> {
  const count = Math.floor(bytes.length / type.size);
  const columns = new Map<string, H5Values>();
  for (const member of type.members) {
    // A member that is not decoded must not hide the others.
    if (member.type.kind === "other") {
      columns.set(member.name, []);
      continue;
    }
    const { size } = member.type;
    const column = new Uint8Array(count * size);
    for (let i = 0, from = member.offset, to = 0; i < count; i++, from += type.size, to += size) {
      for (let k = 0; k < size; k++) column[to + k] = bytes[from + k]!;
    }
    columns.set(member.name, decodeElements(column, member.type, context, `${where}.${member.name}`));
  }
  return columns;
}
