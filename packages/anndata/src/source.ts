import { type H5Numbers, Hdf5Error } from "@cytomesh/hdf5";
import { ZarrError, type ZarrErrorTag } from "@cytomesh/zarr";
import { AnnDataError, type AnnDataErrorTag } from "./errors.ts";
import type { Source, Values } from "./storage.ts";

/** What zarr calls otherwise; the other tags are ours too. */
const zarrTags = {
  "not-zarr": "not-anndata",
  "not-zip": "not-anndata",
  "refused-path": "refused-link",
} as const satisfies Partial<Record<ZarrErrorTag, AnnDataErrorTag>>;

/** Calls into @cytomesh/hdf5 and @cytomesh/zarr: their messages name file and path already. */
export function typed<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asAnnDataError(error);
  }
}

export function asAnnDataError(error: unknown): unknown {
  if (error instanceof Hdf5Error) return new AnnDataError(error.tag, error.message, { cause: error });
  if (!(error instanceof ZarrError)) return error;
  const { tag } = error;
  const ours =
    tag in zarrTags
      ? zarrTags[tag as keyof typeof zarrTags]
      : (tag as Exclude<ZarrErrorTag, keyof typeof zarrTags>);
  return new AnnDataError(ours, error.message, { cause: error });
}

/** First string of an attribute; undefined when it is missing or not a string. */
export function stringAttribute(source: Source, where: string, name: string): string | undefined {
  const values = source.attribute(where, name)?.values;
  return Array.isArray(values) ? values[0] : undefined;
}

export function booleanAttribute(source: Source, where: string, name: string): boolean {
  const values = source.attribute(where, name)?.values;
  return ArrayBuffer.isView(values) && Number((values as H5Numbers)[0] ?? 0) !== 0;
}

/** Pair of non-negative integers, for example `shape`. */
export function shapeAttribute(source: Source, where: string, name: string): [number, number] | undefined {
  const values = source.attribute(where, name)?.values;
  if (!ArrayBuffer.isView(values) || (values as H5Numbers).length !== 2) return undefined;
  const [rows, columns] = Array.from(values as Int32Array, Number) as [number, number];
  const valid = [rows, columns].every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  if (!valid) throw new AnnDataError("invalid", `${where}: attribute ${name} is [${rows}, ${columns}]`);
  return [rows, columns];
}

/** Numbers without BigInt; integers beyond ±2^53 are refused because they would be rounded. */
export function plainNumbers(
  values: Values,
  where: string,
): Exclude<H5Numbers, BigInt64Array | BigUint64Array> {
  if (!ArrayBuffer.isView(values)) throw new AnnDataError("invalid", `${where} holds no numbers`);
  const numbers = values as H5Numbers;
  if (!(numbers instanceof BigInt64Array) && !(numbers instanceof BigUint64Array)) return numbers;
  const out = new Float64Array(numbers.length);
  // Halves instead of BigInt: ten times faster, and indices of many files are 64 bits wide.
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length * 2);
  const signed = numbers instanceof BigInt64Array;
  for (let i = 0, at = 0; i < out.length; i++, at += 2) {
    const low = words[at]!;
    const high = signed ? words[at + 1]! | 0 : words[at + 1]!;
    const value = high * 2 ** 32 + low;
    if (!(value >= -(2 ** 53) && value <= 2 ** 53) || !Number.isSafeInteger(value)) {
      throw new AnnDataError(
        "unsupported",
        `${where}[${i}] = ${numbers[i]} is beyond ±2^53 and would be rounded`,
      );
    }
    out[i] = value;
  }
  return out;
}
