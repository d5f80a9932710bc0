/** Thrift's compact protocol (thrift/doc/specs/thrift-compact-protocol.md), as far as Parquet's metadata needs it: writing. */

export type ThriftValue =
  | { type: "bool"; value: boolean }
  | { type: "i32" | "i64"; value: number }
  | { type: "binary"; value: Uint8Array }
  | { type: "list"; of: "bool" | "i32" | "i64" | "binary" | "struct"; values: readonly ThriftValue[] }
  | { type: "struct"; fields: ThriftFields };

/** Field id → value, ids rising; `undefined` fields are left out. */
export type ThriftFields = readonly (readonly [number, ThriftValue | undefined])[];

const encoder = new TextEncoder();

export const bool = (value: boolean): ThriftValue => ({ type: "bool", value });
export const i32 = (value: number): ThriftValue => ({ type: "i32", value });
/** Integers within ±2^53. */
export const i64 = (value: number): ThriftValue => ({ type: "i64", value });
export const binary = (value: Uint8Array): ThriftValue => ({ type: "binary", value });
export const text = (value: string): ThriftValue => binary(encoder.encode(value));
export const struct = (...fields: ThriftFields): ThriftValue => ({ type: "struct", fields });
export const list = (
  of: "bool" | "i32" | "i64" | "binary" | "struct",
  values: readonly ThriftValue[],
): ThriftValue => ({ type: "list", of, values });

const typeId = { bool: 1, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const;

interface Out {
  bytes: Uint8Array;
  at: number;
}

/** The bytes of one struct. */
export function encodeStruct(fields: ThriftFields): Uint8Array {
  const out: Out = { bytes: new Uint8Array(256), at: 0 };
  writeStruct(out, fields);
  return out.bytes.slice(0, out.at);
}

function room(out: Out, bytes: number): void {
  if (out.at + bytes <= out.bytes.length) return;
  const grown = new Uint8Array(Math.max(out.bytes.length * 2, out.at + bytes));
  grown.set(out.bytes);
  out.bytes = grown;
}

function writeVarint(out: Out, value: number): void {
  room(out, 10);
  let rest = value;
  while (rest > 127) {
    out.bytes[out.at++] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
  }
  out.bytes[out.at++] = rest;
}

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

function writeStruct(out: Out, fields: ThriftFields): void {
  let before = 0;
  for (const [id, value] of fields) {
    if (value === undefined) continue;
    const type = value.type === "bool" ? (value.value ? 1 : 2) : typeId[value.type];
    room(out, 1);
    // Parquet's field ids are close together, so the short form always does.
    out.bytes[out.at++] = ((id - before) << 4) | type;
    before = id;
    if (value.type !== "bool") writeValue(out, value);
  }
  room(out, 1);
  out.bytes[out.at++] = 0;
}

function writeValue(out: Out, value: ThriftValue): void {
  switch (value.type) {
    case "bool":
      room(out, 1);
      out.bytes[out.at++] = value.value ? 1 : 2;
      return;
    case "i32":
    case "i64":
      writeVarint(out, zigzag(value.value));
      return;
    case "binary":
      writeVarint(out, value.value.length);
      room(out, value.value.length);
      out.bytes.set(value.value, out.at);
      out.at += value.value.length;
      return;
    case "list": {
      const size = value.values.length;
      room(out, 1);
      out.bytes[out.at++] = (Math.min(size, 15) << 4) | typeId[value.of];
      if (size >= 15) writeVarint(out, size);
      for (const item of value.values) writeValue(out, item);
      return;
    }
    case "struct":
      writeStruct(out, value.fields);
  }
}
