import type { H5Numbers, H5Type, H5Writer } from "@cytomesh/hdf5";
import { AnnDataError } from "./errors.ts";
import type { JsonLike, NumberArray } from "./types.ts";
import {
  booleanType,
  checkKey,
  type Deflate,
  dict,
  encoding,
  writeArray,
  writeStringArray,
} from "./write-elements.ts";

const maxDepth = 32;

/** A nested mapping. Nulls are left out: anndata has an encoding for them only since 0.12. */
export function writeTree(
  out: H5Writer,
  where: string,
  tree: { [key: string]: JsonLike },
  deflate: Deflate,
  depth = 0,
): void {
  if (depth > maxDepth)
    throw new AnnDataError("invalid-argument", `${where} is nested more than ${maxDepth} deep`);
  dict(out, where);
  for (const [key, value] of Object.entries(tree)) {
    checkKey(where, key);
    writeValue(out, `${where}/${key}`, value, deflate, depth);
  }
}

function writeValue(out: H5Writer, where: string, value: JsonLike, deflate: Deflate, depth: number): void {
  if (value === null) return;
  if (typeof value === "string") {
    out.dataset(where, { type: { kind: "string", size: "variable", utf8: true }, shape: [] }, [value]);
    encoding(out, where, "string", "0.2.0");
  } else if (typeof value === "number" || typeof value === "boolean") {
    const { type, values } = numbers([value]);
    out.dataset(where, { type, shape: [] }, values);
    encoding(out, where, "numeric-scalar", "0.2.0");
  } else if (ArrayBuffer.isView(value)) {
    const array = value as NumberArray;
    writeArray(out, where, typeOf(array), [array.length], array, deflate);
  } else if (Array.isArray(value)) {
    writeList(out, where, value, deflate);
  } else {
    writeTree(out, where, value as { [key: string]: JsonLike }, deflate, depth + 1);
  }
}

function writeList(out: H5Writer, where: string, list: readonly unknown[], deflate: Deflate): void {
  if (list.length > 0 && list.every((item) => typeof item === "string")) {
    writeStringArray(out, where, list as string[], deflate);
    return;
  }
  const uniform = ["boolean", "number"].some((kind) => list.every((item) => typeof item === kind));
  if (!uniform) {
    throw new AnnDataError(
      "invalid-argument",
      `${where}: a list must hold only strings, only numbers or only booleans`,
    );
  }
  const { type, values } = numbers(list as (number | boolean)[]);
  writeArray(out, where, type, [list.length], values, deflate);
}

/** Whole numbers become int64, as they would in Python. */
function numbers(list: readonly (number | boolean)[]): { type: H5Type; values: H5Numbers } {
  if (typeof list[0] === "boolean") return { type: booleanType, values: Int8Array.from(list, Number) };
  if (list.length > 0 && list.every((item) => Number.isSafeInteger(item))) {
    return {
      type: { kind: "int", size: 8, signed: true },
      values: BigInt64Array.from(list as number[], BigInt),
    };
  }
  return { type: { kind: "float", size: 8 }, values: Float64Array.from(list as number[]) };
}

function typeOf(array: NumberArray): H5Type {
  if (array instanceof Float32Array || array instanceof Float64Array) {
    return { kind: "float", size: array.BYTES_PER_ELEMENT as 4 | 8 };
  }
  const signed = array instanceof Int8Array || array instanceof Int16Array || array instanceof Int32Array;
  return { kind: "int", size: array.BYTES_PER_ELEMENT as 1 | 2 | 4, signed };
}
