/**
 * Thrift's compact protocol, reading. Whatever the bytes are, work and memory stay proportional to their number, and nothing outside them is
 * looked at.
 */

export type Parsed = boolean | number | Uint8Array | Parsed[] | ParsedStruct;

/** Field id → value. */
export type ParsedStruct = Map<number, Parsed>;

/** The bytes are no struct of the compact protocol; whoever reads the file says where. */
export class ThriftError extends Error {
  override readonly name = "ThriftError";
}

const MAX_DEPTH = 12;

interface In {
  bytes: Uint8Array;
  at: number;
}

/** One struct from `from` on, and where it ends. Throws ThriftError. */
export function decodeStruct(bytes: Uint8Array, from = 0): { fields: ParsedStruct; end: number } {
  const input: In = { bytes, at: from };
  const fields = readStruct(input, 0);
  return { fields, end: input.at };
}

function byte(input: In): number {
  const value = input.bytes[input.at++];
  if (value === undefined) throw new ThriftError("the bytes end inside a value");
  return value;
}

function varint(input: In): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10; i++) {
    const next = byte(input);
    value += (next & 127) * scale;
    if (next < 128) {
      if (value > 2 * Number.MAX_SAFE_INTEGER) break;
      return value;
    }
    scale *= 128;
  }
  throw new ThriftError("an integer is beyond 2^53");
}

function signed(input: In): number {
  const value = varint(input);
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}

function readStruct(input: In, depth: number): ParsedStruct {
  if (depth > MAX_DEPTH) throw new ThriftError(`structs are nested more than ${MAX_DEPTH} deep`);
  const fields: ParsedStruct = new Map();
  let id = 0;
  for (;;) {
    const head = byte(input);
    if (head === 0) return fields;
    const delta = head >> 4;
    id = delta === 0 ? signed(input) : id + delta;
    const type = head & 15;
    fields.set(id, type === 1 ? true : type === 2 ? false : readValue(input, type, depth));
  }
}

function readValue(input: In, type: number, depth: number): Parsed {
  switch (type) {
    case 1:
    case 2:
      return byte(input) === 1;
    case 3:
      return (byte(input) << 24) >> 24;
    case 4:
    case 5:
    case 6:
      return signed(input);
    case 7:
      return skip(input, 8);
    case 8:
      return skip(input, varint(input));
    case 9:
    case 10:
      return readList(input, depth);
    case 12:
      return readStruct(input, depth + 1);
    default:
      throw new ThriftError(`type ${type} does not occur in Parquet's metadata`);
  }
}

function skip(input: In, length: number): Uint8Array {
  if (length > input.bytes.length - input.at)
    throw new ThriftError(`a value of ${length} bytes ends past the data`);
  input.at += length;
  return input.bytes.subarray(input.at - length, input.at);
}

function readList(input: In, depth: number): Parsed[] {
  if (depth > MAX_DEPTH) throw new ThriftError(`lists are nested more than ${MAX_DEPTH} deep`);
  const head = byte(input);
  const size = head >> 4 === 15 ? varint(input) : head >> 4;
  // Every element takes a byte at least.
  if (size > input.bytes.length - input.at)
    throw new ThriftError(`a list of ${size} elements ends past the data`);
  const values: Parsed[] = [];
  for (let i = 0; i < size; i++) values.push(readValue(input, head & 15, depth + 1));
  return values;
}

/** Typed access to a parsed struct: `undefined` when a field is missing or of another type. */
export const numberField = (fields: ParsedStruct | undefined, id: number): number | undefined => {
  const value = fields?.get(id);
  return typeof value === "number" ? value : undefined;
};

export const structField = (fields: ParsedStruct | undefined, id: number): ParsedStruct | undefined => {
  const value = fields?.get(id);
  return value instanceof Map ? value : undefined;
};

export const listField = (fields: ParsedStruct | undefined, id: number): Parsed[] | undefined => {
  const value = fields?.get(id);
  return Array.isArray(value) ? value : undefined;
};

export const textField = (fields: ParsedStruct | undefined, id: number): string | undefined => {
  const value = fields?.get(id);
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : undefined;
};
