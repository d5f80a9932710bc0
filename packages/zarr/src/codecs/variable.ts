/**
 * numcodecs' vlen-utf8 and vlen-bytes: a little-endian uint32 count, then for each element a uint32 length and its bytes.
 * Errors are plain; the pipeline wraps them.
 */
export function decodeVariable(bytes: Uint8Array, count: number, kind: "strings"): string[];
export function decodeVariable(bytes: Uint8Array, count: number, kind: "byte-strings"): Uint8Array[];
export function decodeVariable(
  bytes: Uint8Array,
  count: number,
  kind: "strings" | "byte-strings",
): string[] | Uint8Array[];
export function decodeVariable(
  bytes: Uint8Array,
  count: number,
  kind: "strings" | "byte-strings",
): string[] | Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) throw new RangeError("variable-length values without a count");
  const said = view.getUint32(0, true);
  if (said !== count) throw new RangeError(`${said} variable-length values, expected ${count}`);
  if (count * 4 > bytes.length - 4) throw new RangeError(`${bytes.length} bytes cannot hold ${count} values`);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const strings: string[] = [];
  const byteStrings: Uint8Array[] = [];
  let at = 4;
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) throw new RangeError(`value ${i} begins beyond the end`);
    const length = view.getUint32(at, true);
    at += 4;
    if (length > bytes.length - at) throw new RangeError(`value ${i} has ${length} bytes, beyond the end`);
    if (kind === "strings") strings.push(buffer.toString("utf8", at, at + length));
    else byteStrings.push(bytes.slice(at, at + length));
    at += length;
  }
  return kind === "strings" ? strings : byteStrings;
}

export function encodeVariable(values: readonly (string | Uint8Array)[]): Uint8Array {
  let size = 4;
  for (const value of values)
    size += 4 + (typeof value === "string" ? Buffer.byteLength(value) : value.length);
  const out = Buffer.alloc(size);
  out.writeUInt32LE(values.length);
  let at = 4;
  for (const value of values) {
    const length = typeof value === "string" ? out.write(value, at + 4) : value.length;
    if (typeof value !== "string") out.set(value, at + 4);
    out.writeUInt32LE(length, at);
    at += 4 + length;
  }
  return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
}
