import type { JsonObject } from "@bufbuild/protobuf";
import type { AnnData } from "@cytomesh/anndata";
import {
  addRowsToGram,
  emptyGram,
  finalizePca,
  KernelError,
  type PcaModel,
  selectHighlyVariable,
} from "@cytomesh/kernels";
import { AnalysisError, refuse } from "../errors.ts";
import type { GetEmbeddingParameters } from "../schemas/tasks.ts";
import { type AnalysisContext, finite, refuseTooMany } from "./answer.ts";
import { suggestion } from "./close-names.ts";
import type { Expression } from "./expression.ts";
import type { OpenFile } from "./open-files.ts";

/** Coordinates are given to as many significant digits as float32 has. */
const significantDigits = 7;

/** Coordinates of the cells, row-major. */
interface Coordinates {
  readonly data: ArrayLike<number>;
  readonly columns: number;
}

/**
 * Coordinates of every cell, in the order of the file: `{embedding: [[x, y], ...], source}`. Type `pca` is computed: highly variable genes
 * ("seurat") → Gram matrix → exact components → scores; the sign of a component is that which makes its largest loading positive.
 *
 * @throws AnalysisError `unknown-name` (no such obsm key), `unfit-file` (too few cells or variable genes), `result-too-large`
 */
export async function getEmbedding(
  opened: OpenFile,
  parameters: GetEmbeddingParameters,
  context: AnalysisContext,
): Promise<JsonObject> {
  const { file } = opened;
  const { type, nComponents } = parameters;
  const saved = savedKey(file, parameters);
  if (saved !== undefined) {
    const { data, shape } = file.obsm(saved);
    const kept = Math.min(shape[1], nComponents);
    refuseTooMany(file.nObs * kept, "ask for fewer components", context);
    return { embedding: rowsOf(file.nObs, kept, { data, columns: shape[1] }), source: `obsm/${saved}` };
  }
  if (type !== "pca")
    throw refuse("unknown-name", [
      {
        field: "spec.parameters.type",
        description: `expected pca or a key of obsm (${file.obsmKeys.join(", ") || "the file has none"}), found ${JSON.stringify(type)}${suggestion(type, file.obsmKeys)}`,
      },
    ]);
  refuseTooMany(file.nObs * nComponents, "ask for fewer components", context);
  const expression = opened.expression(parameters.matrix);
  const { model, selected } = await fitPca(expression, parameters, context);
  const data = await scoresOf(expression, model, selected, context);
  return {
    embedding: rowsOf(file.nObs, nComponents, { data, columns: nComponents }),
    source: `PCA of ${expression.path}`,
    explainedVarianceRatio: Array.from(model.explainedVarianceRatio, finite),
    genes: Array.from(selected, (gene) => expression.genes[gene] ?? ""),
  };
}

/** Key of obsm to answer from, if any. */
function savedKey(file: AnnData, { type, useSaved }: GetEmbeddingParameters): string | undefined {
  if (type === "pca" && !useSaved) return undefined;
  return [type, `X_${type}`].find((key) => file.obsmKeys.includes(key));
}

async function fitPca(
  expression: Expression,
  parameters: GetEmbeddingParameters,
  context: AnalysisContext,
): Promise<{ model: PcaModel; selected: Int32Array }> {
  const { nTopGenes, nComponents, scale } = parameters;
  try {
    const moments = await expression.moments(context);
    const selected = selectHighlyVariable({ normalized: moments, nTop: nTopGenes, method: "seurat" });
    if (selected.length === 0)
      throw new AnalysisError(
        "unfit-file",
        `no gene of ${expression.path} varies, so there is nothing to project on`,
      );
    const columnMap = Int32Array.from(selected.keys());
    const state = emptyGram(selected.length);
    for await (const { rows } of expression.batches(context, selected)) addRowsToGram(state, rows, columnMap);
    return { model: finalizePca(state, { nComponents, scale: scale ? "unit-variance" : "none" }), selected };
  } catch (error) {
    if (
      error instanceof KernelError &&
      (error.tag === "not_enough_rows" || error.tag === "too_many_components")
    )
      throw new AnalysisError("unfit-file", `no PCA of ${expression.path}: ${error.message}`, {
        cause: error,
      });
    throw error;
  }
}

/** Scores, cells × components, row-major: `(x - mean) / std · component`, over the entries that are there. */
async function scoresOf(
  expression: Expression,
  model: PcaModel,
  selected: Int32Array,
  context: AnalysisContext,
): Promise<Float64Array> {
  const { nComponents: k, p } = model;
  const weights = new Float64Array(p * k);
  const origin = new Float64Array(k);
  for (let component = 0; component < k; component++)
    for (let gene = 0; gene < p; gene++) {
      const weight = (model.components[component * p + gene] as number) / (model.std[gene] as number);
      weights[gene * k + component] = weight;
      origin[component] = (origin[component] as number) + weight * (model.mean[gene] as number);
    }
  const scores = new Float64Array(expression.nCells * k);
  for await (const { start, rows } of expression.batches(context, selected))
    for (let row = 0; row < rows.nRows; row++) {
      const to = scores.subarray((start + row) * k, (start + row + 1) * k);
      for (let component = 0; component < k; component++) to[component] = -(origin[component] as number);
      for (let at = rows.indptr[row] as number; at < (rows.indptr[row + 1] as number); at++) {
        const value = rows.data[at] as number;
        const from = (rows.indices[at] as number) * k;
        for (let component = 0; component < k; component++)
          to[component] = (to[component] as number) + value * (weights[from + component] as number);
      }
    }
  return scores;
}

function rowsOf(cells: number, kept: number, { data, columns }: Coordinates) {
  return Array.from({ length: cells }, (_, cell) =>
    Array.from({ length: kept }, (_, column) => {
      const value = data[cell * columns + column];
      return finite(value === undefined ? value : Number(value.toPrecision(significantDigits)));
    }),
  );
}
