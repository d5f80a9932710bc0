import { asNumbers } from "../codecs/numbers.ts";
import { swapBytes } from "../codecs/swap.ts";
import { elementBytes, swapUnit } from "../meta/type.ts";
import type { ZarrType, ZarrValues } from "../types.ts";
import type { Decoded } from "./target.ts";

/** Raw elements as what callers get, see ZarrValues. */
export function toValues(decoded: Decoded, type: ZarrType, count: number): ZarrValues {
  if (Array.isArray(decoded)) return decoded as string[] | Uint8Array[];
  if (type.kind === "bool") return decoded;
  if (type.kind === "int" || type.kind === "float") return asNumbers(decoded, type);
  if (type.kind === "complex") {
    return asNumbers(decoded, { kind: "float", size: (type.size / 2) as 4 | 8 });
  }
  if (type.kind === "time") return asNumbers(decoded, { kind: "int", size: 8, signed: true });
  if (type.kind === "fixed-string") return fixedStrings(decoded, type.size, count);
  if (type.kind === "fixed-bytes")
    return type.text ? texts(decoded, type.size, count) : slices(decoded, type.size, count);
  if (type.kind === "struct") {
    return new Map(
      type.fields.map((field) => {
        const items = field.shape.reduce((all, side) => all * side, 1);
        const size = elementBytes(field.type)!;
        const bytes = new Uint8Array(count * items * size);
        for (let i = 0; i < count; i++) {
          const at = i * type.size + field.offset;
          bytes.set(decoded.subarray(at, at + items * size), i * items * size);
        }
        const plain = field.bigEndian ? swapBytes(bytes, swapUnit(field.type)) : bytes;
        return [field.name, toValues(plain, field.type, count * items)];
      }),
    );
  }
  return [];
}

/** numpy U: UTF-32, padded with NUL. Code points that do not exist become U+FFFD. */
function fixedStrings(bytes: Uint8Array, size: number, count: number): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: string[] = new Array(count);
  for (let i = 0; i < count; i++) {
    let end = size;
    while (end > 0 && view.getUint32((i * size + end - 1) * 4, true) === 0) end--;
    let text = "";
    for (let k = 0; k < end; k++) {
      const point = view.getUint32((i * size + k) * 4, true);
      text += String.fromCodePoint(point <= 0x10ffff ? point : 0xfffd);
    }
    out[i] = text;
  }
  return out;
}

/** numpy S: bytes padded with NUL, read as UTF-8. */
function texts(bytes: Uint8Array, size: number, count: number): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => {
    let end = (i + 1) * size;
    while (end > i * size && buffer[end - 1] === 0) end--;
    return buffer.toString("utf8", i * size, end);
  });
}

function slices(bytes: Uint8Array, size: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => bytes.slice(i * size, (i + 1) * size));
}
