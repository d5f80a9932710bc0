import { AnnDataError, type Column, type DataFrame, withoutVersion } from "@cytomesh/anndata";
import { EdgeError } from "../../edge/errors.ts";

/** The genes of an upload. */
export interface FeatureIds {
  /** Where they stand: `index`, or the name of a column of var. */
  readonly from: string;
  readonly ids: string[];
  /** How many different ids the model knows. */
  readonly shared: number;
}

/** Text of a column, row by row; undefined for columns that hold no text or cannot be read. */
function textOf(frame: DataFrame, name: string): string[] | undefined {
  let column: Column;
  try {
    column = frame.column(name);
  } catch (error) {
    if (error instanceof AnnDataError) return undefined;
    throw error;
  }
  if (column.kind === "string") return column.values.map((value) => value ?? "");
  if (column.kind !== "categorical") return undefined;
  const { categories } = column;
  return Array.from(column.codes, (code) => categories[code] ?? "");
}

/**
 * The var index, or the column of var that has more ids in common with the model's schema: clients that were told to take the ids
 * from a column leave symbols in the index.
 *
 * @throws EdgeError `bad-upload` no gene in common
 */
export function chooseFeatureIds(frame: DataFrame, schema: readonly string[]): FeatureIds {
  const known = new Set(schema);
  const count = (ids: readonly string[]) => new Set(ids.filter((id) => known.has(id))).size;
  // Models made here read ids without version, as ingest drops them.
  const asKnown = (ids: readonly string[]) => ids.map((id) => (known.has(id) ? id : withoutVersion(id)));
  const index = asKnown(frame.index());
  let best: FeatureIds = { from: "index", ids: index, shared: count(index) };
  for (const name of best.shared === known.size ? [] : frame.columnNames) {
    const text = textOf(frame, name);
    const ids = text === undefined ? undefined : asKnown(text);
    const shared = ids === undefined ? 0 : count(ids);
    if (ids !== undefined && shared > best.shared) best = { from: name, ids, shared };
  }
  if (best.shared === 0) {
    const show = (ids: readonly string[]) =>
      ids
        .slice(0, 3)
        .map((id) => JSON.stringify(id))
        .join(", ");
    throw new EdgeError(
      "bad-upload",
      `none of the ${index.length} genes is one of the model's ${known.size}: var has ${show(index)} and the model expects ids such as ${show(schema)}; put those ids into the var index or a column of var`,
    );
  }
  return best;
}
