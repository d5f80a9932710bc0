import { readElementFrom } from "./elements/read-element.ts";
import { AnnDataError } from "./errors.ts";
import { openFrame } from "./frame.ts";
import { LazyMap } from "./lazy-map.ts";
import { type MatrixLimits, openMatrix, valueDtype } from "./matrix.ts";
import { memberOfCompound, obsmKeysOf } from "./obsm.ts";
import { plainNumbers } from "./source.ts";
import type { Source, Values, ValueType } from "./storage.ts";
import type { Aligned } from "./types.ts";

/** Lengths of the axes that an entry must have: [nObs] for obsm, [nVar, nVar] for varp. */
export interface AlignedAxes {
  lengths: readonly number[];
  /** "cells" or "genes". */
  what: string;
}

/** obsm, varm, obsp or varp: what stands beside obs and var, opened on first use. */
export function alignedEntries(
  source: Source,
  where: "/obsm" | "/varm" | "/obsp" | "/varp",
  axes: AlignedAxes,
  limits: MatrixLimits,
): ReadonlyMap<string, Aligned> {
  const keys = obsmKeysOf(source, where);
  const compound = source.kind(where) === "dataset";
  return new LazyMap(keys, (key) => {
    const entry = compound
      ? arrayEntry(memberOfCompound(source, where, key), `${where}.${key}`)
      : openEntry(source, `${where}/${key}`, limits);
    checkAxes(entry, `${where}/${key}`, axes);
    return entry;
  });
}

function openEntry(source: Source, where: string, limits: MatrixLimits): Aligned {
  const element = readElementFrom(source, where);
  switch (element.encoding) {
    case "array":
      return arrayEntry(element.array, where);
    case "csr_matrix":
    case "csc_matrix": {
      const [rows, columns] = element.shape;
      const axes = { rows, columns, rowsSay: `shape says ${rows} rows`, columnsSay: `${columns} columns` };
      return { kind: "sparse", matrix: openMatrix(source, where, axes, limits) };
    }
    case "dataframe":
      return { kind: "dataframe", frame: openFrame(source, where) };
    default:
      return { kind: "other", element };
  }
}

interface Rows {
  type: ValueType;
  shape: readonly number[];
  read(start?: number, end?: number): Values;
}

function arrayEntry(array: Rows, where: string): Aligned {
  const dtype = valueDtype(array.type, where);
  return {
    kind: "array",
    dtype,
    shape: array.shape,
    rows: (start = 0, end = array.shape[0] ?? 1) => plainNumbers(array.read(start, end), where),
  };
}

function checkAxes(entry: Aligned, where: string, { lengths, what }: AlignedAxes): void {
  const shape = shapeOf(entry);
  if (shape === undefined || lengths.every((length, axis) => shape[axis] === length)) return;
  throw new AnnDataError(
    "wrong-length",
    `${where} has shape [${shape.join(", ")}], but there are ${lengths[0]} ${what}`,
  );
}

function shapeOf(entry: Aligned): readonly number[] | undefined {
  if (entry.kind === "array") return entry.shape;
  if (entry.kind === "sparse") return entry.matrix.shape;
  return entry.kind === "dataframe" ? [entry.frame.length] : undefined;
}
