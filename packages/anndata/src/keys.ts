import { AnnDataError } from "./errors.ts";

/** A slash would make a group of its own; HDF5 has no way to write it. */
export function checkKey(where: string, key: string): void {
  if (key !== "" && key !== "." && !key.includes("/") && !key.includes("\0")) return;
  throw new AnnDataError(
    "invalid-argument",
    `${where}: the name ${JSON.stringify(key)} cannot be stored; rename it without "/"`,
  );
}
