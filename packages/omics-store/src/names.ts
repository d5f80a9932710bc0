import { OmicsStoreError } from "./errors.ts";
import type { ObsField, StoredField } from "./types.ts";

/** Columns the store itself writes into cells, obs and curriculum files, and names that DuckDB or
 * JavaScript objects give a meaning. Compared without case. */
export const reservedObsNames: ReadonlySet<string> = new Set([
  "cell_id",
  "original_cell_id",
  "ingest_id",
  "obs_extra",
  "n_counts",
  "nnz",
  "feature_ids",
  "counts",
  "extract_bin",
  "position",
  "farm_finger",
  "rowid",
  "filename",
  "file_row_number",
  "file_index",
  "__proto__",
]);

export const reservedFeatureNames: ReadonlySet<string> = new Set([
  "feature_id",
  "var_position",
  "feature",
  "ingest_id",
  "rowid",
  "filename",
  "file_row_number",
  "file_index",
  "__proto__",
]);

/** DuckDB compares identifiers without ASCII case, BigQuery without Unicode case; folding both ways is the safe side. */
const fold = (name: string): string => name.normalize("NFC").toLowerCase();

/**
 * Names under which columns are stored. The rule:
 * 1. a reserved name (any case) or an empty one gets the prefix `obs_` (`var_` for features) until it is free: `nnz` → `obs_nnz`.
 *    This is the name that filters and requests use;
 * 2. inside the files, a name equal to an earlier one but for case gets `_2`, `_3`, …: `Sex`, `sex` → `Sex`, `sex_2`.
 * Throws `invalid_column` for a repeated name, a name holding U+0000, or a lone surrogate.
 */
export function storedFields(
  fields: readonly ObsField[],
  reserved: ReadonlySet<string>,
  prefix: "obs_" | "var_",
): StoredField[] {
  const sources = new Set<string>();
  for (const { name } of fields) {
    if (name.includes("\0") || !name.isWellFormed())
      throw new OmicsStoreError(
        "invalid_column",
        `column name ${JSON.stringify(name)} holds U+0000 or a lone surrogate`,
      );
    if (sources.has(name))
      throw new OmicsStoreError("invalid_column", `column ${JSON.stringify(name)} is declared twice`);
    sources.add(name);
  }
  const names = new Set(fields.map((f) => f.name).filter((n) => n !== "" && !reserved.has(fold(n))));
  const columns = new Set<string>();
  return fields.map(({ name: source, type }) => {
    let name = source;
    if (source === "" || reserved.has(fold(source))) {
      do name = prefix + name;
      while (names.has(name));
      names.add(name);
    }
    return { source, name, type, column: freeColumn(name, columns, reserved) };
  });
}

/** The name, with `_2`, `_3`, … when an earlier column or a reserved one differs from it only in case. Adds it to `taken`. */
export function freeColumn(name: string, taken: Set<string>, reserved: ReadonlySet<string>): string {
  let column = name;
  for (let n = 2; taken.has(fold(column)) || reserved.has(fold(column)); n++) column = `${name}_${n}`;
  taken.add(fold(column));
  return column;
}

/** The known names closest to `name` by edit distance, best first, at most three. */
export function closestNames(name: string, known: readonly string[]): string[] {
  const target = fold(name).slice(0, 200);
  return known
    .map((candidate) => ({ candidate, distance: editDistance(target, fold(candidate).slice(0, 200)) }))
    .filter(({ candidate, distance }) => distance <= Math.max(2, Math.ceil(candidate.length / 2)))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}

const LISTED_COLUMNS = 200;

/** The error for a column that no ingest has: the closest names, then all of them. */
export function unknownColumn(name: string, known: readonly string[], where: string): OmicsStoreError {
  const close = closestNames(name, known);
  const hint = close.length > 0 ? ` Did you mean ${close.map((c) => JSON.stringify(c)).join(" or ")}?` : "";
  const all = known.slice(0, LISTED_COLUMNS).join(", ");
  const rest = known.length > LISTED_COLUMNS ? `, … (${known.length - LISTED_COLUMNS} more)` : "";
  return new OmicsStoreError(
    "unknown_column",
    `${where}: no column ${JSON.stringify(name)}.${hint} Known columns: ${all}${rest}`,
  );
}
