import { AnnDataError, chooseFeatureIds, type DataFrame, type Matrix, openAnnData } from "@cytomesh/anndata";
import type { ConvertOptions, FilePlan } from "../schemas/plan.ts";
import { chooseMatrix } from "./choose-matrix.ts";
import { type ObsSource, planObs } from "./obs-columns.ts";

/** Rows looked at to tell counts from other values: enough to catch normalised data, cheap on any file. */
const sampledRows = 512;

/** Entries looked at where a matrix lies by column. */
const sampledEntries = 131_072;

/** Rows of an obs column read at a time. */
const rowsAtOnce = 1_000_000;

/** Examples named in a problem. */
const maxExamples = 5;

/** Look at a file as an ingest would take it, and list everything that is in the way. Runs in a worker thread. */
export async function planFile(path: string, options: ConvertOptions): Promise<FilePlan> {
  using file = await openAnnData(path, { reuseRows: true });
  const problems: string[] = [];
  const collect = <T>(look: () => T): T | undefined => {
    try {
      return look();
    } catch (error) {
      problems.push((error as Error).message);
      return undefined;
    }
  };
  const chosen = collect(() => chooseMatrix(file, options));
  const features = chosen && collect(() => chooseFeatureIds(chosen.var, options.featureIdColumn));
  const sources = collect(() => planObs(file.obs, options.obsMapping));
  problems.push(...wideIntegers(file.obs, sources ?? []));
  if (file.nObs === 0) problems.push("the file has no cells");
  if (chosen !== undefined) {
    const [rows, columns] = chosen.matrix.shape;
    if (rows !== file.nObs) problems.push(`${chosen.path} has ${rows} rows but obs has ${file.nObs}`);
    if (columns !== chosen.var.length)
      problems.push(`${chosen.path} has ${columns} columns but var has ${chosen.var.length}`);
    if (columns === 0) problems.push("the file has no features");
    else if (rows === file.nObs)
      problems.push(
        ...(collect(() => countProblems(chosen.path, chosen.matrix, options.allowNonCounts)) ?? []),
      );
  }
  if (features !== undefined) problems.push(...featureProblems(features.ids));
  return {
    cells: file.nObs,
    features: chosen?.var.length ?? 0,
    matrixPath: chosen?.path ?? "",
    featureIdColumn: features?.column ?? "",
    problems: [...new Set(problems)],
  };
}

/** Columns of 8-byte integers that the warehouse cannot hold exactly; all others hold what it takes by their dtype. */
function wideIntegers(obs: DataFrame, sources: readonly ObsSource[]): string[] {
  const found: string[] = [];
  for (const { source, type } of sources) {
    if (source === undefined || type !== "int") continue;
    const column = obs.column(source, 0, 0);
    if (column.kind !== "number" || !column.dtype.endsWith("int64")) continue;
    try {
      for (let row = 0; row < obs.length; row += rowsAtOnce)
        obs.column(source, row, Math.min(obs.length, row + rowsAtOnce));
    } catch (error) {
      const tooWide = error instanceof AnnDataError && error.tag === "unsupported";
      found.push(`${(error as Error).message}${tooWide ? "; store the column as text" : ""}`);
    }
  }
  return found;
}

function featureProblems(ids: readonly string[]): string[] {
  const empty = ids.reduce((count, id) => count + (id === "" ? 1 : 0), 0);
  return empty === 0 ? [] : [`${empty} of ${ids.length} features have no id`];
}

/** Places spread over a matrix, as ranges, so that a file sorted by cell type is not judged by one type alone. */
function spread(length: number, sampled: number): [number, number][] {
  if (length <= sampled) return [[0, length]];
  const blocks = 8;
  const size = sampled / blocks;
  return Array.from({ length: blocks }, (_, i) => {
    const start = Math.floor((i * (length - size)) / (blocks - 1));
    return [start, start + size];
  });
}

/** How many values are wrong in one way, and the first of them. */
interface Tally {
  count: number;
  examples: string[];
}

type Wrong = Record<"notFinite" | "negative" | "fraction", Tally>;

/** Notes a value that is no count. @returns whether it is one */
function isCount(value: number, row: number, wrong: Wrong): boolean {
  if (Number.isInteger(value) && value >= 0) return true;
  const tally = !Number.isFinite(value) ? wrong.notFinite : value < 0 ? wrong.negative : wrong.fraction;
  tally.count += 1;
  if (tally.examples.length < maxExamples) tally.examples.push(`row ${row} has ${value}`);
  return false;
}

/** The first wrong value of each row. @returns how many rows were looked at */
function lookAtRows(matrix: Matrix, wrong: Wrong): number {
  let seen = 0;
  for (const [start, end] of spread(matrix.shape[0], sampledRows)) {
    const { indptr, data } = matrix.rows(start, end);
    for (let row = 0; row < end - start; row++) {
      seen += 1;
      for (let k = indptr[row] as number; k < (indptr[row + 1] as number); k++)
        if (!isCount(data[k] as number, start + row, wrong)) break;
    }
  }
  return seen;
}

/** Rows of a matrix by column cost a pass over all of it, its entries do not. @returns how many were looked at */
function lookAtEntries(matrix: Matrix, wrong: Wrong): number {
  let seen = 0;
  for (const [from, to] of spread(matrix.nnz ?? 0, sampledEntries)) {
    const { rows, data } = matrix.entries!(from, to);
    seen += data.length;
    for (let i = 0; i < data.length; i++) isCount(data[i] as number, rows[i] as number, wrong);
  }
  return seen;
}

function countProblems(path: string, matrix: Matrix, allowNonCounts: boolean): string[] {
  const none = (): Tally => ({ count: 0, examples: [] });
  const wrong: Wrong = { notFinite: none(), negative: none(), fraction: none() };
  const byEntry = matrix.entries !== undefined && matrix.shape[0] > sampledRows;
  const sampled = byEntry ? lookAtEntries(matrix, wrong) : lookAtRows(matrix, wrong);
  const unit = byEntry ? "values" : "rows";
  const problems: string[] = [];
  const report = ({ count, examples }: Tally, what: string) => {
    if (count > 0)
      problems.push(`${path}: ${what} in ${count} of ${sampled} ${unit} looked at (${examples.join(", ")})`);
  };
  report(wrong.notFinite, "values that are not finite");
  report(wrong.negative, "negative values");
  if (!allowNonCounts)
    report(
      wrong.fraction,
      "values that are not whole numbers, so these are not raw counts (allow_non_counts takes them all the same),",
    );
  return problems;
}
