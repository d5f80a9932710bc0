import { AnnDataError } from "../errors.ts";
import { plainNumbers } from "../source.ts";
import type { Values } from "../storage.ts";
import type { ArraySource } from "./element.ts";

/** The array with every row looked at as it is read. */
function checked(
  array: ArraySource,
  check: (values: ArrayLike<number>, start: number) => void,
  where: string,
): ArraySource {
  return {
    ...array,
    read: (start = 0, end = array.shape[0] ?? 1): Values => {
      const values = array.read(start, end);
      check(plainNumbers(values, where), start);
      return values;
    },
  };
}

/** indptr: rising, from 0 to the number of entries. Rows must be read in order. */
export function checkedOffsets(array: ArraySource, nnz: number, where: string): ArraySource {
  let before = 0;
  const last = array.shape[0]! - 1;
  return checked(
    array,
    (values, start) => {
      for (let i = 0; i < values.length; i++) {
        const offset = values[i]!;
        const wanted = start + i === 0 ? 0 : start + i === last ? nnz : offset;
        if (!(offset >= before && offset === wanted && offset <= nnz)) {
          throw new AnnDataError(
            "invalid",
            `${where}[${start + i}] = ${offset} after ${before}; offsets rise from 0 to ${nnz}`,
          );
        }
        before = offset;
      }
    },
    where,
  );
}

export function checkedIndices(array: ArraySource, size: number, where: string): ArraySource {
  return withinRange(array, 0, size, `an axis of ${size}`, where);
}

export function checkCodes(array: ArraySource, categories: number, where: string): ArraySource {
  return withinRange(array, -1, categories, `${categories} categories`, where);
}

function withinRange(array: ArraySource, low: number, high: number, of: string, where: string): ArraySource {
  return checked(
    array,
    (values, start) => {
      for (let i = 0; i < values.length; i++) {
        const value = values[i]!;
        if (!(value >= low && value < high && Number.isInteger(value))) {
          throw new AnnDataError("invalid", `${where}[${start + i}] = ${value}, but it points into ${of}`);
        }
      }
    },
    where,
  );
}
