import type { AnnData, DataFrame, Matrix } from "@cytomesh/anndata";
import { IngestError } from "../errors.ts";
import type { ConvertOptions } from "../schemas/plan.ts";

/** The matrix that holds the raw counts, with the var frame that names its columns. */
export interface ChosenMatrix {
  readonly path: string;
  readonly matrix: Matrix;
  readonly var: DataFrame;
}

/** Choose the count matrix as the options say. Raw counts live in `raw.X` whenever a normalised `X` exists, hence "auto". */
export function chooseMatrix(file: AnnData, options: ConvertOptions): ChosenMatrix {
  const available = [
    ...(file.x === undefined ? [] : ["X"]),
    ...(file.raw === undefined ? [] : ["raw/X"]),
    ...[...file.layers.keys()].map((name) => `layers/${name}`),
  ];
  const missing = (wanted: string): never => {
    throw new IngestError(
      "invalid-file",
      `${wanted} is asked for, but the file has ${available.length === 0 ? "no matrix at all" : available.join(", ")}`,
    );
  };
  switch (options.matrix) {
    case "raw-x":
      return file.raw === undefined
        ? missing("raw/X")
        : { path: "raw/X", matrix: file.raw.x, var: file.raw.var };
    case "layer": {
      const layer = file.layers.get(options.layer);
      return layer === undefined
        ? missing(`layers/${options.layer}`)
        : { path: `layers/${options.layer}`, matrix: layer, var: file.var };
    }
    case "x":
      return file.x === undefined ? missing("X") : { path: "X", matrix: file.x, var: file.var };
    case "auto":
      if (file.raw !== undefined) return { path: "raw/X", matrix: file.raw.x, var: file.raw.var };
      return file.x === undefined ? missing("X") : { path: "X", matrix: file.x, var: file.var };
  }
}

/** Stable gene ids of Ensembl, any species, with or without version. */
const ensemblId = /^ENS[A-Z]{0,6}G\d{11}(\.\d+)?$/;

/** Columns that usually hold gene ids, most telling first. */
const usualColumns = ["ensembl_id", "gene_ids", "feature_id", "gene_id", "ensemble_id", "ensembl", "id"];

/** Feature ids of a matrix and where they came from. */
export interface ChosenFeatures {
  /** Empty: the var index. */
  readonly column: string;
  readonly ids: string[];
}

/**
 * Feature ids: the named column, else the var index when most of it looks like Ensembl ids, else the first usual column that does,
 * else the index as it is. Versions of Ensembl ids are dropped, as the same gene must match across releases.
 */
export function chooseFeatures(frame: DataFrame, wanted: string): ChosenFeatures {
  if (wanted !== "" && wanted !== "index") {
    if (!frame.has(wanted))
      throw new IngestError(
        "invalid-file",
        `var has no column "${wanted}" for the feature ids; it has ${frame.columnNames.join(", ") || "no columns"}`,
      );
    return { column: wanted, ids: textOf(frame, wanted).map(withoutVersion) };
  }
  const index = frame.index();
  if (wanted === "index" || mostlyEnsembl(index)) return { column: "", ids: index.map(withoutVersion) };
  const usual = usualColumns.flatMap((name) =>
    frame.columnNames.filter((column) => column.toLowerCase() === name),
  );
  for (const column of usual) {
    const kind = frame.column(column).kind;
    if (kind !== "string" && kind !== "categorical") continue;
    const ids = textOf(frame, column);
    if (mostlyEnsembl(ids)) return { column, ids: ids.map(withoutVersion) };
  }
  return { column: "", ids: index };
}

function mostlyEnsembl(ids: readonly string[]): boolean {
  if (ids.length === 0) return false;
  let matching = 0;
  for (const id of ids) if (ensemblId.test(id)) matching += 1;
  return matching * 2 > ids.length;
}

function withoutVersion(id: string): string {
  return ensemblId.test(id) ? id.replace(/\.\d+$/, "") : id;
}

/** A column of text; a missing value becomes the empty string, which validation then reports. */
function textOf(frame: DataFrame, name: string): string[] {
  const column = frame.column(name);
  switch (column.kind) {
    case "string":
      return column.values.map((value) => value ?? "");
    case "categorical":
      return Array.from(column.codes, (code) => column.categories[code] ?? "");
    case "number":
      return Array.from(column.values, String);
    case "boolean":
      throw new IngestError("invalid-file", `var column "${name}" holds true/false values, not feature ids`);
  }
}
