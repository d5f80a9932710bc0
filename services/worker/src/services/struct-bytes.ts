import type { JsonValue } from "@bufbuild/protobuf";

/** Size of a JSON object as an encoded `google.protobuf.Struct`, in bytes, without encoding it. */
export function structBytesOf(object: { readonly [key: string]: JsonValue }): number {
  let bytes = 0;
  for (const [key, value] of Object.entries(object)) {
    // A map entry: field 1 the key, field 2 the value.
    bytes += delimited(delimited(Buffer.byteLength(key)) + delimited(valueBytesOf(value)));
  }
  return bytes;
}

function valueBytesOf(value: JsonValue): number {
  if (typeof value === "number") return 9;
  if (value === null || typeof value === "boolean") return 2;
  if (typeof value === "string") return delimited(Buffer.byteLength(value));
  if (!Array.isArray(value)) return delimited(structBytesOf(value));
  let bytes = 0;
  for (const item of value) bytes += delimited(valueBytesOf(item));
  return delimited(bytes);
}

/** One-byte tag, length as a varint, content. */
function delimited(bytes: number): number {
  let length = 1;
  for (let rest = bytes; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return 1 + length + bytes;
}
