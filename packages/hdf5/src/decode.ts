import { isUtf8 } from "node:buffer";
import { fromHalves } from "@cytomesh/codecs";
import { Hdf5Error } from "./errors.ts";
import type { H5Numbers, H5Type, H5Values } from "./types.ts";
import { memoryBytes } from "./wasm-type.ts";

/** Strings longer than this are refused: one element of an AnnData file is a name, not a document. */
const maxStringBytes = 64 * 1024 * 1024;

/**
 * Elements as they lie in wasm memory → values. `bytes` is a copy of its own (offset 0); `heap` is where pointers point into.
 */
export function decodeElements(
  bytes: Uint8Array<ArrayBuffer>,
  type: H5Type,
  heap: Uint8Array,
  where: string,
): H5Values {
  switch (type.kind) {
    case "int":
      return intArray(bytes, type.size, type.signed);
    case "enum":
      return intArray(bytes, type.base.size, type.base.signed);
    case "float":
      return floatArray(bytes, type.size);
    case "string":
      return type.size === "variable" ? pointed(bytes, heap, where) : fixed(bytes, type.size, where);
    case "compound":
      return members(bytes, type, heap, where);
    case "array":
      return decodeElements(bytes, type.base, heap, where);
    default: {
      const name = type.kind === "other" ? type.description : type.kind;
      throw new Hdf5Error("unsupported", `${where} has the type ${name}, which is not supported`);
    }
  }
}

/** No values of a type. */
export function noValues(type: H5Type, where: string): H5Values {
  return decodeElements(new Uint8Array(0), type, new Uint8Array(0), where);
}

function intArray(bytes: Uint8Array<ArrayBuffer>, size: 1 | 2 | 4 | 8, signed: boolean): H5Numbers {
  const { buffer } = bytes;
  if (size === 1) return signed ? new Int8Array(buffer) : new Uint8Array(buffer);
  if (size === 2) return signed ? new Int16Array(buffer) : new Uint16Array(buffer);
  if (size === 4) return signed ? new Int32Array(buffer) : new Uint32Array(buffer);
  return signed ? new BigInt64Array(buffer) : new BigUint64Array(buffer);
}

function floatArray(bytes: Uint8Array<ArrayBuffer>, size: 2 | 4 | 8): H5Numbers {
  if (size === 8) return new Float64Array(bytes.buffer);
  if (size === 4) return new Float32Array(bytes.buffer);
  return fromHalves(new Uint16Array(bytes.buffer));
}

function pointed(bytes: Uint8Array<ArrayBuffer>, heap: Uint8Array, where: string): string[] {
  const memory = Buffer.from(heap.buffer, heap.byteOffset, heap.byteLength);
  return Array.from(new Uint32Array(bytes.buffer), (at, i) => {
    if (at === 0) return "";
    const end = at < memory.length ? memory.indexOf(0, at) : -1;
    if (end < 0 || end - at > maxStringBytes) {
      throw new Hdf5Error("corrupt", `${where}: string ${i} has no end`);
    }
    return utf8Text(memory, at, end, where, i);
  });
}

function fixed(bytes: Uint8Array<ArrayBuffer>, size: number, where: string): string[] {
  const memory = Buffer.from(bytes.buffer);
  if (size === 0) return [];
  return Array.from({ length: Math.floor(memory.length / size) }, (_, i) => {
    const zero = memory.subarray(i * size, (i + 1) * size).indexOf(0);
    return utf8Text(memory, i * size, zero < 0 ? (i + 1) * size : i * size + zero, where, i);
  });
}

function utf8Text(memory: Buffer, start: number, end: number, where: string, i: number): string {
  if (!isUtf8(memory.subarray(start, end))) {
    const hex = memory.subarray(start, Math.min(end, start + 16)).toString("hex");
    throw new Hdf5Error(
      "corrupt",
      `${where}: string ${i} is not UTF-8 (bytes ${hex}${end - start > 16 ? "…" : ""})`,
    );
  }
  return memory.toString("utf8", start, end);
}

function members(
  bytes: Uint8Array<ArrayBuffer>,
  type: Extract<H5Type, { kind: "compound" }>,
  heap: Uint8Array,
  where: string,
): Map<string, H5Values> {
  const count = type.size === 0 ? 0 : Math.floor(bytes.length / type.size);
  const columns = new Map<string, H5Values>();
  for (const member of type.members) {
    const size = memoryBytes(member.type);
    const path = `${where}.${member.name}`;
    if (size === undefined) {
      // A member nobody asked for (an array, a reference) must not hide the others.
      columns.set(member.name, []);
      continue;
    }
    if (member.offset + size > type.size) {
      throw new Hdf5Error("corrupt", `${path}: member ends at byte ${member.offset + size} of ${type.size}`);
    }
    const column = new Uint8Array(count * size);
    for (let i = 0; i < count; i++) {
      const at = i * type.size + member.offset;
      column.set(bytes.subarray(at, at + size), i * size);
    }
    columns.set(member.name, decodeElements(column, member.type, heap, path));
  }
  return columns;
}
