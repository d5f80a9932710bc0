import { type H5Numbers, type H5Reader, type H5Values, Hdf5Error } from "@cytomesh/hdf5";
import { AnnDataError } from "./errors.ts";

/** Calls into @cytomesh/hdf5: its tags are a subset of ours, its messages name file and path already. */
export function typed<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asAnnDataError(error);
  }
}

export function asAnnDataError(error: unknown): unknown {
  return error instanceof Hdf5Error ? new AnnDataError(error.tag, error.message, { cause: error }) : error;
}

/** The reader with every method throwing AnnDataError. */
export function typedReader(reader: H5Reader): H5Reader {
  return {
    path: reader.path,
    sizeBytes: reader.sizeBytes,
    kind: (where) => typed(() => reader.kind(where)),
    realPath: (where) => typed(() => reader.realPath(where)),
    children: (where) => typed(() => reader.children(where)),
    attributeNames: (where) => typed(() => reader.attributeNames(where)),
    attribute: (where, name) => typed(() => reader.attribute(where, name)),
    dataset: (where) => typed(() => reader.dataset(where)),
    read: (info, start, end) => typed(() => reader.read(info, start, end)),
    close: () => typed(() => reader.close()),
  };
}

/** First string of an attribute; undefined when it is missing or not a string. */
export function stringAttribute(source: H5Reader, where: string, name: string): string | undefined {
  const values = source.attribute(where, name)?.values;
  return Array.isArray(values) ? values[0] : undefined;
}

export function booleanAttribute(source: H5Reader, where: string, name: string): boolean {
  const values = source.attribute(where, name)?.values;
  return ArrayBuffer.isView(values) && Number((values as H5Numbers)[0] ?? 0) !== 0;
}

/** Pair of non-negative integers, for example `shape`. */
export function shapeAttribute(source: H5Reader, where: string, name: string): [number, number] | undefined {
  const values = source.attribute(where, name)?.values;
  if (!ArrayBuffer.isView(values) || (values as H5Numbers).length !== 2) return undefined;
  const [rows, columns] = Array.from(values as Int32Array, Number) as [number, number];
  const valid = [rows, columns].every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  if (!valid) throw new AnnDataError("invalid", `${where}: attribute ${name} is [${rows}, ${columns}]`);
  return [rows, columns];
}

/** Numbers without BigInt; integers beyond ±2^53 are refused because they would be rounded. */
export function plainNumbers(
  values: H5Values,
  where: string,
): Exclude<H5Numbers, BigInt64Array | BigUint64Array> {
  if (!ArrayBuffer.isView(values)) throw new AnnDataError("invalid", `${where} holds no numbers`);
  const numbers = values as H5Numbers;
  if (!(numbers instanceof BigInt64Array) && !(numbers instanceof BigUint64Array)) return numbers;
  const out = new Float64Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) {
    const value = Number(numbers[i]!);
    if (!Number.isSafeInteger(value)) {
      throw new AnnDataError(
        "unsupported",
        `${where}[${i}] = ${numbers[i]} is beyond ±2^53 and would be rounded`,
      );
    }
    out[i] = value;
  }
  return out;
}
