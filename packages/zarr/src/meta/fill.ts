import { numberToHalf } from "@cytomesh/codecs";
import { ZarrError } from "../errors.ts";
import type { Json, ZarrType } from "../types.ts";
import { show } from "./json.ts";
import { elementBytes } from "./type.ts";

/**
 * The bytes (in the machine's order) of an element that no chunk holds. null is zero, as zarr-python reads it.
 * Sources: zarr v2 "Fill value encoding", zarr v3 "Fill value" per data type.
 */
export function fillBytes(value: Json, type: ZarrType, where: string): Uint8Array {
  const size = elementBytes(type)!;
  const out = new Uint8Array(size);
  if (value === null || value === undefined) return out;
  const view = new DataView(out.buffer);
  if (type.kind === "bool") out[0] = value === true || value === 1 ? 1 : 0;
  else if (type.kind === "int") writeInteger(view, value, type.size, where);
  else if (type.kind === "time") writeInteger(view, value === "NaT" ? -(2n ** 63n) : value, 8, where);
  else if (type.kind === "float") writeFloat(view, 0, value, type.size, where);
  else if (type.kind === "complex") {
    const [real, imaginary] = Array.isArray(value) ? value : [value, 0];
    const half = (type.size / 2) as 4 | 8;
    writeFloat(view, 0, real ?? 0, half, where);
    writeFloat(view, half, imaginary ?? 0, half, where);
  } else if (type.kind === "fixed-string") writeText(view, value, type.size);
  else writeRaw(out, value, where);
  return out;
}

/** The same for strings and byte strings: 0 is what v2 writes for "nothing". */
export function fillVariable(value: Json, kind: "strings" | "byte-strings"): string | Uint8Array {
  const text = typeof value === "string" ? value : "";
  return kind === "strings" ? text : new Uint8Array(Buffer.from(text, "base64"));
}

function writeInteger(view: DataView, value: Json, size: 1 | 2 | 4 | 8, where: string): void {
  const whole = typeof value === "bigint" || Number.isInteger(value) || typeof value === "boolean";
  if (!whole) throw bad(value, where);
  const big = BigInt(value as number | bigint | boolean);
  if (size === 8) view.setBigInt64(0, BigInt.asIntN(64, big), true);
  else if (size === 4) view.setInt32(0, Number(BigInt.asIntN(32, big)), true);
  else if (size === 2) view.setInt16(0, Number(BigInt.asIntN(16, big)), true);
  else view.setInt8(0, Number(BigInt.asIntN(8, big)));
}

function writeFloat(view: DataView, at: number, value: Json, size: 2 | 4 | 8, where: string): void {
  const hex = typeof value === "string" ? /^0x([0-9a-fA-F]{1,16})$/.exec(value) : null;
  if (hex !== null) {
    const bits = BigInt(`0x${hex[1]}`);
    if (size === 8) view.setBigUint64(at, bits, true);
    else if (size === 4) view.setUint32(at, Number(BigInt.asUintN(32, bits)), true);
    else view.setUint16(at, Number(BigInt.asUintN(16, bits)), true);
    return;
  }
  const named = typeof value === "string" ? words[value] : undefined;
  const number = typeof value === "string" ? named : Number(value);
  if (number === undefined || typeof value === "object") throw bad(value, where);
  if (size === 8) view.setFloat64(at, number, true);
  else if (size === 4) view.setFloat32(at, number, true);
  else view.setUint16(at, numberToHalf(number), true);
}

const words: Record<string, number> = Object.assign(Object.create(null), {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
});

function writeText(view: DataView, value: Json, size: number): void {
  const points = typeof value === "string" ? Array.from(value) : [];
  for (const [i, point] of points.slice(0, size).entries())
    view.setUint32(i * 4, point.codePointAt(0)!, true);
}

/** Base64, a list of bytes (v3 raw), or 0 for nothing. */
function writeRaw(out: Uint8Array, value: Json, where: string): void {
  const bytes =
    typeof value === "string"
      ? Buffer.from(value, "base64")
      : Array.isArray(value)
        ? Uint8Array.from(value as number[], Number)
        : new Uint8Array();
  if (bytes.length > out.length) throw bad(value, where);
  out.set(bytes);
}

function bad(value: Json, where: string): ZarrError {
  return new ZarrError("corrupt", `${where}: fill value ${show(value)} does not suit the data type`);
}
