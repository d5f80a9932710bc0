import { chooseFeatureIds, openAnnData } from "@cytomesh/anndata";
import type { ConvertOptions, FilePlan } from "../schemas/plan.ts";
import { chooseMatrix } from "./choose-matrix.ts";
import { planObs } from "./obs-columns.ts";

/** Rows looked at to tell counts from other values: enough to catch normalised data, cheap on any file. */
const sampledRows = 512;

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
  collect(() => planObs(file.obs, options.obsMapping));
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

function featureProblems(ids: readonly string[]): string[] {
  const empty = ids.reduce((count, id) => count + (id === "" ? 1 : 0), 0);
  return empty === 0 ? [] : [`${empty} of ${ids.length} features have no id`];
}

interface RowMatrix {
  readonly shape: [number, number];
  rows(start: number, end: number): { indptr: Float64Array; data: Float32Array | Float64Array };
}

/** Rows spread over the matrix, as ranges, so that a file sorted by cell type is not judged by one type alone. */
function sampleRanges(rows: number): [number, number][] {
  if (rows <= sampledRows) return [[0, rows]];
  const blocks = 8;
  const size = sampledRows / blocks;
  return Array.from({ length: blocks }, (_, i) => {
    const start = Math.floor((i * (rows - size)) / (blocks - 1));
    return [start, start + size];
  });
}

function countProblems(path: string, matrix: RowMatrix, allowNonCounts: boolean): string[] {
  const seen = { notFinite: [] as string[], negative: [] as string[], fraction: [] as string[] };
  let sampled = 0;
  for (const [start, end] of sampleRanges(matrix.shape[0])) {
    const { indptr, data } = matrix.rows(start, end);
    for (let row = 0; row < end - start; row++) {
      sampled += 1;
      for (let k = indptr[row] as number; k < (indptr[row + 1] as number); k++) {
        const value = data[k] as number;
        const list = !Number.isFinite(value)
          ? seen.notFinite
          : value < 0
            ? seen.negative
            : Number.isInteger(value)
              ? undefined
              : seen.fraction;
        if (list !== undefined) {
          list.push(`row ${start + row} has ${value}`);
          break;
        }
      }
    }
  }
  const problems: string[] = [];
  const report = (list: string[], what: string) => {
    if (list.length > 0)
      problems.push(
        `${path}: ${what} in ${list.length} of ${sampled} rows looked at (${list.slice(0, maxExamples).join(", ")})`,
      );
  };
  report(seen.notFinite, "values that are not finite");
  report(seen.negative, "negative values");
  if (!allowNonCounts)
    report(
      seen.fraction,
      "values that are not whole numbers, so these are not raw counts (allow_non_counts takes them all the same),",
    );
  return problems;
}
