import {
  type AnnData,
  type DataFrame,
  geneExpressionOf,
  type Matrix,
  takeColumns,
  takeFrame,
} from "@cytomesh/anndata";
import { IngestError } from "../errors.ts";
import type { ConvertOptions } from "../schemas/plan.ts";

/** The matrix that holds the raw counts, with the var frame that names its columns. */
export interface ChosenMatrix {
  readonly path: string;
  readonly matrix: Matrix;
  readonly var: DataFrame;
}

/**
 * Choose the count matrix as the options say, and of its features the genes, where the file tells them from others. Raw counts live in
 * `raw.X` whenever a normalised `X` exists, hence "auto".
 */
export function chooseMatrix(file: AnnData, options: ConvertOptions): ChosenMatrix {
  // Telling the genes reads a column of var, and slices of one open file ask again and again.
  const key = JSON.stringify([options.matrix, options.layer, options.allFeatureTypes]);
  const known = chosenOf.get(file);
  if (known?.key === key) return known.chosen;
  const chosen = genesOf(wantedMatrix(file, options), options.allFeatureTypes);
  chosenOf.set(file, { key, chosen });
  return chosen;
}

const chosenOf = new WeakMap<AnnData, { key: string; chosen: ChosenMatrix }>();

function genesOf(all: ChosenMatrix, allTypes: boolean): ChosenMatrix {
  // A frame that does not fit its matrix is reported by the plan.
  const fits = all.matrix.shape[1] === all.var.length;
  const genes = allTypes || !fits ? undefined : geneExpressionOf(all.var);
  if (genes === undefined) return all;
  return { path: all.path, matrix: takeColumns(all.matrix, genes), var: takeFrame(all.var, genes) };
}

function wantedMatrix(file: AnnData, options: ConvertOptions): ChosenMatrix {
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
