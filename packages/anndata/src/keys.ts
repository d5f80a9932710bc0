import { AnnDataError } from "./errors.ts";

/** A slash would make a group of its own; HDF5 has no way to write it. Half of a surrogate pair has no UTF-8. */
export function checkKey(where: string, key: string): void {
  if (/^\.?$|[/\0]/.test(key) || !key.isWellFormed())
    throw new AnnDataError(
      "invalid-argument",
      `${where}: the name ${JSON.stringify(key)} cannot be stored; names are not empty or ".", and have no "/", NUL or half of a surrogate pair`,
    );
}
