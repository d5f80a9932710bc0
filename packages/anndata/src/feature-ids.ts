import { AnnDataError } from "./errors.ts";
import type { DataFrame } from "./types.ts";

/** Stable gene ids of Ensembl, any species, with or without version. */
const ensemblId = /^ENS[A-Z]{0,6}G\d{11}(\.\d+)?$/;

/** Columns that usually hold gene ids, most telling first. Any other may as well hold those of another species' orthologs. */
const usualColumns = [
  "ensembl_id",
  "gene_ids",
  "feature_id",
  "gene_id",
  "ensembl_gene_id",
  "ensembl_ids",
  "ensemble_id",
  "ensembl",
  "id",
];

/** Feature ids of a matrix and where they came from. */
export interface FeatureIds {
  /** Column of var; empty: the var index. */
  readonly column: string;
  readonly ids: string[];
}

/**
 * Feature ids: the column named ("index": the var index), else the var index when most of it looks like Ensembl ids, else the first usual
 * column that does, else the index as it is. Versions of Ensembl ids are dropped, as the same gene must match across releases; a missing
 * id is the empty string.
 *
 * @throws AnnDataError "not-found" no such column, "invalid" a column of true and false
 */
export function chooseFeatureIds(frame: DataFrame, wanted = ""): FeatureIds {
  if (wanted !== "" && wanted !== "index") return { column: wanted, ids: idsOf(frame, wanted) };
  const index = frame.index();
  if (wanted === "index" || mostlyEnsembl(index)) return { column: "", ids: index.map(withoutVersion) };
  const usual = usualColumns.flatMap((name) =>
    frame.columnNames.filter((column) => column.toLowerCase() === name),
  );
  for (const column of usual) {
    const { kind } = frame.column(column);
    if (kind !== "string" && kind !== "categorical") continue;
    const ids = idsOf(frame, column);
    if (mostlyEnsembl(ids)) return { column, ids };
  }
  return { column: "", ids: index.map(withoutVersion) };
}

function mostlyEnsembl(ids: readonly string[]): boolean {
  if (ids.length === 0) return false;
  let matching = 0;
  for (const id of ids) if (ensemblId.test(id)) matching += 1;
  return matching * 2 > ids.length;
}

/** An Ensembl gene id without its version; any other text as it is. */
export function withoutVersion(id: string): string {
  return ensemblId.test(id) ? id.replace(/\.\d+$/, "") : id;
}

function idsOf(frame: DataFrame, name: string): string[] {
  const column = frame.column(name);
  switch (column.kind) {
    case "string":
      return column.values.map((value) => withoutVersion(value ?? ""));
    case "categorical": {
      const categories = column.categories.map(withoutVersion);
      return Array.from(column.codes, (code) => categories[code] ?? "");
    }
    case "number":
      return Array.from(column.values, (value, row) =>
        column.mask?.[row] === 1 || Number.isNaN(value) ? "" : String(value),
      );
    case "boolean":
      throw new AnnDataError("invalid", `var column "${name}" holds true/false values, not feature ids`);
  }
}
