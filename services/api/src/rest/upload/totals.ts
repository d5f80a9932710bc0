import type { DataFrame } from "@cytomesh/anndata";
import { EdgeError } from "../../edge/errors.ts";

/** The obs column in which CAS clients send the total counts over all genes measured, also those that the model does not read. */
export const totalsColumn = "total_mrna_umis";

/**
 * Total counts per cell as float32, or undefined when the file does not say.
 *
 * @throws EdgeError `bad-upload` not numbers, missing, negative or not finite
 */
export function readTotals(obs: DataFrame): Float32Array | undefined {
  if (!obs.has(totalsColumn)) return undefined;
  const column = obs.column(totalsColumn);
  if (column.kind !== "number")
    throw new EdgeError("bad-upload", `obs.${totalsColumn} holds ${column.kind} values, expected numbers`);
  const totals = Float32Array.from(column.values);
  const wrong = totals.findIndex(
    (value, row) => !(value >= 0 && value < Infinity) || column.mask?.[row] === 1,
  );
  if (wrong >= 0) {
    const found = column.mask?.[wrong] === 1 ? "no value" : column.values[wrong];
    throw new EdgeError(
      "bad-upload",
      `obs.${totalsColumn} has ${found} in row ${wrong}, expected a finite number that is not negative`,
    );
  }
  return totals;
}
