import { AnnDataError } from "./errors.ts";
import { scanMatrix } from "./scan.ts";
import type { AnnData, DataFrame, Matrix, ValidationProblem, ValidationProfile } from "./types.ts";

/**
 * Everything wrong with the file under the profile; empty when nothing is. Never throws for what the file holds.
 *
 * Matrices of up to 50 million entries are looked at whole, bigger ones in batches spread evenly over the file.
 */
export function validateAnnData(file: AnnData, profile: ValidationProfile): ValidationProblem[] {
  const problems: ValidationProblem[] = [];
  checkFrame(file.obs, "obs", "cells", problems);
  checkFrame(file.var, "var", "genes", problems);
  const x = attempt("X", problems, () => file.x);
  const raw = attempt("raw", problems, () => file.raw);
  checkMatrix(x, "X", profile === "counts", problems);
  checkMatrix(raw?.x, "raw/X", profile === "raw_counts", problems);
  if (raw !== undefined) checkNames(raw.var, "raw/var", problems);
  const failed = (where: string) => problems.some((problem) => problem.where === where);
  if (x === undefined && !failed("X") && profile !== "raw_counts") {
    problems.push({ code: "missing_x", where: "X", message: "the file has no X" });
  }
  if (raw === undefined && !failed("raw") && profile === "raw_counts") {
    problems.push({
      code: "missing_x",
      where: "raw/X",
      message: "the file has no raw.X; are the counts in X?",
    });
  }
  for (const key of file.layers.keys()) attempt(`layers/${key}`, problems, () => file.layers.get(key));
  for (const key of file.obsmKeys) attemptObsm(file, key, problems);
  return problems;
}

function checkFrame(
  frame: DataFrame,
  where: "obs" | "var",
  what: string,
  problems: ValidationProblem[],
): void {
  if (frame.length === 0) {
    problems.push({
      code: where === "obs" ? "no_cells" : "no_genes",
      where,
      message: `${where} is empty: there are no ${what}`,
    });
  }
  checkNames(frame, where, problems);
  for (const name of frame.columnNames) attempt(`${where}/${name}`, problems, () => frame.column(name));
}

function checkNames(frame: DataFrame, where: string, problems: ValidationProblem[]): void {
  const at = `${where}/${frame.indexName}`;
  const names = attempt(at, problems, () => frame.index());
  if (names === undefined) return;
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const name of names) (seen.has(name) ? repeated : seen).add(name);
  if (repeated.size > 0) {
    const shown = [...repeated].slice(0, 3).map((name) => JSON.stringify(name));
    problems.push({
      code: where === "obs" ? "duplicate_obs_name" : "duplicate_var_name",
      where: at,
      message: `${repeated.size} of the names occur more than once, for example ${shown.join(", ")}; make them unique`,
    });
  }
  const empty = names.indexOf("");
  if (empty >= 0) problems.push({ code: "empty_name", where: at, message: `row ${empty} has an empty name` });
}

function checkMatrix(
  matrix: Matrix | undefined,
  where: string,
  counts: boolean,
  problems: ValidationProblem[],
): void {
  if (matrix === undefined) return;
  const found = attempt(where, problems, () => scanMatrix(matrix));
  if (found === undefined) return;
  const report = (code: ValidationProblem["code"], what: string, hit: { count: number; first: string }) => {
    if (hit.count === 0) return;
    const scope = found.sampled ? " in the rows looked at" : "";
    problems.push({
      code,
      where,
      message: `${hit.count} values${scope} are ${what}, the first at ${hit.first}`,
    });
  };
  report("not_finite", "NaN or infinite", found.notFinite);
  if (!counts) return;
  report("negative_count", "negative", found.negative);
  report("non_integer_count", "not whole numbers, so these are not counts", found.fractional);
}

/** obsm may hold data frames and sparse arrays, which are not read but not wrong either. */
function attemptObsm(file: AnnData, key: string, problems: ValidationProblem[]): void {
  try {
    file.obsm(key);
  } catch (error) {
    if (!(error instanceof AnnDataError) || error.tag !== "unsupported")
      problems.push(toProblem(`obsm/${key}`, error));
  }
}

function attempt<T>(where: string, problems: ValidationProblem[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    problems.push(toProblem(where, error));
    return undefined;
  }
}

function toProblem(where: string, error: unknown): ValidationProblem {
  if (!(error instanceof AnnDataError) || error.tag === "closed") throw error;
  return {
    code: error.tag === "wrong-length" ? "wrong_length" : "unreadable",
    where,
    message: error.message,
  };
}
