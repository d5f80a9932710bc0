import type { AnnData, CsrRows, DataFrame, Matrix } from "@cytomesh/anndata";
import {
  addRows,
  emptyMoments,
  log1pInPlace,
  type Moments,
  normalizeTotal,
  totalsOf,
} from "@cytomesh/kernels";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { AnalysisError } from "../errors.ts";
import type { MatrixChoice } from "../schemas/tasks.ts";

/** Counts per cell after normalisation, as everywhere in the mesh. */
const targetSum = 10_000;

/** Rows looked at to tell what a matrix holds. */
const sampledRows = 512;

/** Rows at a time: small enough to stop and report within a second. */
const batchRows = 1_024;

/** No logarithm of a count reaches this (e^20 is 4.8e8), so fractions above it are on a linear scale. */
const maxLogged = 20;

/** What the values of a matrix are: to be normalised, or log-normalised by whoever made the file. */
export type ValueScale = "linear" | "logged";

/** The expression of a file's genes, log-normalised whatever the file holds. */
export interface Expression {
  /** `raw/X`, `X` or `layers/<name>`. */
  readonly path: string;
  readonly scale: ValueScale;
  readonly var: DataFrame;
  /** Names of the genes, the var index. */
  readonly genes: readonly string[];
  readonly nCells: number;
  /**
   * Rows of log-normalised expression, float64: `log1p(10000 · x / total)` of linear values, logged ones as they are. With `columns`, only
   * those genes: column `i` of the rows is `columns[i]`. Totals are always over all genes.
   */
  batches(context: TaskContext, columns?: Int32Array): AsyncGenerator<{ start: number; rows: CsrRows }>;
  /** Moments of every gene on the linear scale (log-normalised values are taken back), computed once. */
  moments(context: TaskContext): Promise<Moments>;
}

interface Candidate {
  readonly path: string;
  readonly matrix: Matrix;
  readonly var: DataFrame;
}

/**
 * Find the expression matrix of a file: the chosen one, or else the first of raw.X, layer "counts" and X without negative values. A scaled X is
 * of no use, as the expression cannot be got back from it.
 *
 * @throws AnalysisError `unfit-file` saying what was looked at
 */
export function openExpression(file: AnnData, choice: MatrixChoice): Expression {
  const looked: string[] = [];
  for (const candidate of candidatesOf(file, choice)) {
    const { path, matrix } = candidate;
    if (matrix.shape[0] !== file.nObs || matrix.shape[1] !== candidate.var.length) {
      looked.push(
        `${path} is ${matrix.shape.join(" × ")}, expected ${file.nObs} cells × ${candidate.var.length} genes`,
      );
      continue;
    }
    const { scale, problem } = scaleOf(matrix);
    if (scale !== undefined) return expressionOf(candidate, scale);
    looked.push(`${path} holds ${problem}`);
  }
  throw new AnalysisError(
    "unfit-file",
    `expected counts or log-normalised expression in ${choice === undefined ? "raw.X, layer counts or X" : choice}, but ${looked.join("; ") || "the file has no such matrix"}`,
  );
}

function candidatesOf(file: AnnData, choice: MatrixChoice): Candidate[] {
  const raw = file.raw === undefined ? [] : [{ path: "raw/X", matrix: file.raw.x, var: file.raw.var }];
  const x = file.x === undefined ? [] : [{ path: "X", matrix: file.x, var: file.var }];
  const layer = (name: string) => {
    const matrix = file.layers.get(name);
    return matrix === undefined ? [] : [{ path: `layers/${name}`, matrix, var: file.var }];
  };
  if (choice === "raw") return raw;
  if (choice === "x") return x;
  if (choice !== undefined) return layer(choice.slice("layer:".length));
  return [...raw, ...layer("counts"), ...x];
}

/** What a look at rows spread over the matrix tells: its scale, or what makes it unusable. */
function scaleOf(matrix: Matrix): { scale?: ValueScale; problem?: string } {
  const [rows] = matrix.shape;
  const blocks = rows <= sampledRows ? 1 : 8;
  const size = Math.min(rows, sampledRows / blocks);
  let fractions = false;
  let largest = 0;
  for (let block = 0; block < blocks; block++) {
    const start = blocks === 1 ? 0 : Math.floor((block * (rows - size)) / (blocks - 1));
    for (const value of matrix.rows(start, blocks === 1 ? rows : start + size).data) {
      if (!Number.isFinite(value)) return { problem: "values that are not finite" };
      if (value < 0) return { problem: "negative values, so it is scaled or centred" };
      fractions ||= !Number.isInteger(value);
      largest = Math.max(largest, value);
    }
  }
  return { scale: fractions && largest <= maxLogged ? "logged" : "linear" };
}

function expressionOf({ path, matrix, var: frame }: Candidate, scale: ValueScale): Expression {
  const [nCells, nGenes] = matrix.shape;
  let moments: Moments | undefined;
  async function* rawBatches(context: TaskContext) {
    for (const batch of matrix.batches(batchRows)) {
      context.signal.throwIfAborted();
      yield batch;
      context.progress({ cells: batch.start + batch.rows.nRows, total: nCells });
      await context.breathe();
    }
  }
  return {
    path,
    scale,
    var: frame,
    genes: frame.index(),
    nCells,
    async *batches(context, columns) {
      const positions = columns && positionsOf(columns, nGenes);
      for await (const { start, rows } of rawBatches(context)) {
        const totals = scale === "linear" ? totalsOf(rows) : undefined;
        const wanted = positions ? takeColumns(rows, positions, columns?.length ?? 0) : rows;
        if (totals === undefined) yield { start, rows: wanted };
        else {
          const normalized = normalizeTotal(wanted, totals, targetSum);
          log1pInPlace(normalized.data);
          yield { start, rows: normalized };
        }
      }
    },
    async moments(context) {
      if (moments !== undefined) return moments;
      const state = emptyMoments(nGenes);
      for await (const { rows } of rawBatches(context))
        addRows(
          state,
          scale === "linear"
            ? normalizeTotal(rows, totalsOf(rows), targetSum)
            : { ...rows, data: Float64Array.from(rows.data, Math.expm1) },
        );
      moments = state;
      return state;
    },
  };
}

function positionsOf(columns: Int32Array, nGenes: number): Int32Array {
  const positions = new Int32Array(nGenes).fill(-1);
  columns.forEach((column, position) => {
    positions[column] = position;
  });
  return positions;
}

/** Rows with only the columns that have a position. */
function takeColumns(rows: CsrRows, positions: Int32Array, nCols: number): CsrRows {
  const indptr = new Float64Array(rows.nRows + 1);
  let kept = 0;
  for (let row = 0; row < rows.nRows; row++) {
    for (let at = rows.indptr[row]!; at < rows.indptr[row + 1]!; at++)
      if (positions[rows.indices[at]!]! >= 0) kept++;
    indptr[row + 1] = kept;
  }
  const indices = new Int32Array(kept);
  const data = new Float64Array(kept);
  let to = 0;
  for (let at = 0; at < rows.indices.length; at++) {
    const position = positions[rows.indices[at]!]!;
    if (position < 0) continue;
    indices[to] = position;
    data[to++] = rows.data[at]!;
  }
  return { nRows: rows.nRows, nCols, indptr, indices, data };
}
