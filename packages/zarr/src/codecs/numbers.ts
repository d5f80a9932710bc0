import { fromHalves, halfToNumber, numberToHalf, toHalves } from "@cytomesh/codecs";
import { elementBytes } from "../meta/type.ts";
import type { ZarrNumbers, ZarrType } from "../types.ts";
import type { BytesCodec } from "./codec.ts";
import { swapBytes } from "./swap.ts";

/** A numpy type as a filter's configuration names it. */
export interface NumberType {
  type: ZarrType;
  bigEndian: boolean;
}

const makers = {
  i1: Int8Array,
  u1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  i8: BigInt64Array,
  u8: BigUint64Array,
  f4: Float32Array,
  f8: Float64Array,
} as const;

const isHalf = (type: ZarrType): boolean => type.kind === "float" && type.size === 2;

/** Of halves the bits. */
function makerOf(type: ZarrType): (typeof makers)[keyof typeof makers] {
  if (type.kind === "bool") return Uint8Array;
  if (type.kind === "int") return makers[`${type.signed ? "i" : "u"}${type.size}`];
  if (type.kind === "float") return type.size === 2 ? Uint16Array : makers[`f${type.size}`];
  throw new RangeError(`a filter over ${type.kind} values`);
}

/** Bytes in the machine's order as numbers, halves as Float32Array; copies when they do not lie aligned. */
export function asNumbers(bytes: Uint8Array, type: ZarrType): ZarrNumbers {
  const Maker = makerOf(type);
  const count = bytes.length / Maker.BYTES_PER_ELEMENT;
  if (!Number.isInteger(count)) throw new RangeError(`${bytes.length} bytes are no whole elements`);
  const aligned = bytes.byteOffset % Maker.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  const numbers = new Maker(aligned.buffer as ArrayBuffer, aligned.byteOffset, count);
  return isHalf(type) ? fromHalves(numbers as Uint16Array) : numbers;
}

function load(bytes: Uint8Array, from: NumberType): ZarrNumbers {
  const size = elementBytes(from.type)!;
  return asNumbers(from.bigEndian && size > 1 ? swapBytes(bytes, size) : bytes, from.type);
}

function store(values: ZarrNumbers, to: NumberType): Uint8Array {
  const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT } = isHalf(to.type)
    ? toHalves(values as Float64Array)
    : values;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  return to.bigEndian && BYTES_PER_ELEMENT > 1 ? swapBytes(bytes, BYTES_PER_ELEMENT) : bytes;
}

/** Room for `count` numbers of a type, bounded like every decoded chunk; halves are rounded once, when they are stored. */
function room(count: number, type: ZarrType, maxBytes: number): ZarrNumbers {
  const Maker = makerOf(type);
  if (count * Maker.BYTES_PER_ELEMENT > maxBytes)
    throw new RangeError(`${count} numbers, more than expected`);
  return isHalf(type) ? new Float64Array(count) : new Maker(count);
}

/** numcodecs.Delta: each value is the difference to the one before, integers modulo their width. */
export function deltaCodec(decoded: NumberType, encoded: NumberType): BytesCodec {
  return {
    name: "delta",
    decode(bytes, maxBytes) {
      const from = load(bytes, encoded);
      const to = room(from.length, decoded.type, maxBytes);
      if (to instanceof BigInt64Array || to instanceof BigUint64Array) {
        let sum = 0n;
        for (let i = 0; i < from.length; i++) to[i] = sum = BigInt.asIntN(64, sum + BigInt(from[i]!));
      } else if (decoded.type.kind === "float") {
        const round = isHalf(decoded.type) ? (sum: number) => halfToNumber(numberToHalf(sum)) : Number;
        for (let i = 0; i < from.length; i++) to[i] = round((i === 0 ? 0 : to[i - 1]!) + Number(from[i]!));
      } else {
        let sum = 0;
        for (let i = 0; i < from.length; i++) {
          sum = (sum + Number(BigInt.asIntN(32, BigInt(from[i]!)))) | 0;
          to[i] = sum;
        }
      }
      return store(to, decoded);
    },
  };
}

/** numcodecs.FixedScaleOffset: stored / scale + offset, in double unless both sides are float32. */
export function fixedScaleOffsetCodec(
  decoded: NumberType,
  encoded: NumberType,
  scale: number,
  offset: number,
): BytesCodec {
  const round =
    encoded.type.kind === "float" && encoded.type.size === 4 ? Math.fround : (value: number) => value;
  return convertCodec("fixedscaleoffset", decoded, encoded, (value) => round(round(value / scale) + offset));
}

/** numcodecs.AsType and numcodecs.Quantize: another number type on disk. */
export function asTypeCodec(name: string, decoded: NumberType, encoded: NumberType): BytesCodec {
  return convertCodec(name, decoded, encoded, undefined);
}

function convertCodec(
  name: string,
  decoded: NumberType,
  encoded: NumberType,
  change: ((value: number) => number) | undefined,
): BytesCodec {
  return {
    name,
    decode(bytes, maxBytes) {
      const from = load(bytes, encoded);
      const to = room(from.length, decoded.type, maxBytes);
      const big = to instanceof BigInt64Array || to instanceof BigUint64Array;
      for (let i = 0; i < from.length; i++) {
        const value = change === undefined ? from[i]! : change(Number(from[i]!));
        if (big) to[i] = typeof value === "bigint" ? value : BigInt(Math.trunc(value));
        else to[i] = Number(value);
      }
      return store(to, decoded);
    },
  };
}

/** numcodecs.PackBits: one byte with the number of padding bits, then eight booleans to a byte, highest bit first. */
export const packBitsCodec: BytesCodec = {
  name: "packbits",
  decode(bytes, maxBytes) {
    if (bytes.length === 0) throw new RangeError("packbits: empty");
    const count = (bytes.length - 1) * 8 - bytes[0]!;
    if (count < 0 || count > maxBytes) throw new RangeError(`packbits: ${count} booleans`);
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) out[i] = (bytes[1 + (i >> 3)]! >> (7 - (i & 7))) & 1;
    return out;
  },
};
