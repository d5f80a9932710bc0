import { AnnDataError } from "../errors.ts";
import type { AnnData, Matrix } from "../types.ts";
import { checkFrame } from "./frames.ts";
import { checkMatrix } from "./matrices.ts";
import { validationProfiles } from "./profiles.ts";
import { createReport, quoted, type Report, Tally } from "./report.ts";
import type { ObsmRule, UnsRule, ValidateOptions, ValidationProblem, ValidationProfile } from "./types.ts";

/**
 * Everything wrong with the file under the profile; empty when nothing is. Never throws for what the file holds. Memory is bounded by one
 * column, the names, and batches of 2 M entries, whatever the size of the file.
 *
 * @throws AnnDataError "invalid-argument" for a profile name that does not exist, "closed"
 */
export function validateAnnData(
  file: AnnData,
  profile: ValidationProfile | string,
  options: ValidateOptions = {},
): ValidationProblem[] {
  const rules = typeof profile === "string" ? profileOf(profile) : profile;
  const entries = options.entries ?? Number.POSITIVE_INFINITY;
  const report = createReport();
  checkFrame(file.obs, "obs", "cells", rules.obs ?? {}, report);
  checkFrame(file.var, "var", "genes", rules.var ?? {}, report);
  const x = report.attempt("X", () => file.x);
  const raw = report.attempt("raw", () => file.raw);
  if (raw !== undefined) checkFrame(raw.var, "raw/var", "genes", rules.rawVar ?? {}, report);
  const countsAt = placeOfCounts(rules, raw !== undefined);
  const { sparseAboveZeros } = rules;
  const check = (matrix: Matrix, where: string) =>
    checkMatrix(
      matrix,
      where,
      { counts: where === countsAt ? rules.counts : undefined, sparseAboveZeros },
      entries,
      report,
    );
  if (x !== undefined) check(x, "X");
  if (raw !== undefined) check(raw.x, "raw/X");
  if (countsAt !== undefined) missingCounts(countsAt, countsAt === "X" ? x : raw, report);
  else if (x === undefined && !report.failed("X")) report.add("missing_x", "X", "the file has no X");
  for (const key of file.layers.keys()) report.attempt(`layers/${key}`, () => file.layers.get(key));
  checkObsm(file, rules.obsm, report);
  if (rules.uns !== undefined) checkUns(file, rules.uns, report);
  checkGenes(file, rules, report);
  return report.problems;
}

/** A profile of the package by its name. */
export function profileOf(name: string): ValidationProfile {
  const found = validationProfiles.get(name);
  if (found === undefined)
    throw new AnnDataError(
      "invalid-argument",
      `there is no validation profile ${quoted(name)}; there are ${[...validationProfiles.keys()].join(", ")}`,
    );
  return found;
}

function placeOfCounts(rules: ValidationProfile, hasRaw: boolean): "X" | "raw/X" | undefined {
  const where = rules.counts?.where;
  return where === "raw or X" ? (hasRaw ? "raw/X" : "X") : where;
}

function missingCounts(where: "X" | "raw/X", found: unknown, report: Report): void {
  if (found !== undefined || report.failed(where) || report.failed("raw")) return;
  report.add(
    "missing_x",
    where,
    where === "X" ? "the file has no X" : "the file has no raw.X; are the counts in X?",
  );
}

/** obsm may hold what the package does not read as numbers, which is not wrong. */
function checkObsm(file: AnnData, rule: ObsmRule | undefined, report: Report): void {
  for (const key of file.obsmKeys) {
    const where = `obsm/${key}`;
    const entry = report.attempt(where, () => {
      try {
        return file.obsm(key);
      } catch (error) {
        if (error instanceof AnnDataError && error.tag === "unsupported") return undefined;
        throw error;
      }
    });
    if (entry === undefined || rule?.minColumns === undefined || !key.startsWith("X_")) continue;
    if (entry.shape[1] < rule.minColumns)
      report.add(
        "bad_obsm",
        where,
        `${where} has ${entry.shape[1]} columns, expected at least ${rule.minColumns}`,
      );
    else if (!entry.data.some(Number.isFinite) && entry.data.length > 0)
      report.add("bad_obsm", where, `${where} has no finite value`);
  }
  const prefix = rule?.atLeastOne;
  if (prefix !== undefined && !file.obsmKeys.some((key) => key.startsWith(prefix)))
    report.add("missing_obsm", "obsm", `obsm has no embedding: no key begins with ${prefix}`);
}

function checkUns(file: AnnData, rules: readonly UnsRule[], report: Report): void {
  const uns = report.attempt("uns", () => file.uns());
  const entries = new Map(Object.entries(typeof uns === "object" && uns !== null ? uns : {}));
  for (const { key, required, pattern, says } of rules) {
    const where = `uns/${key}`;
    const value = entries.get(key);
    if (value === undefined || value === null) {
      if (required !== false)
        report.add("missing_uns", where, `uns has no ${key}${says === undefined ? "" : ` (${says})`}`);
    } else if (pattern !== undefined && (typeof value !== "string" || !new RegExp(pattern).test(value)))
      report.add(
        "bad_uns",
        where,
        `${where} is ${quoted(typeof value === "string" ? value : JSON.stringify(value))}, expected ${says ?? `text like /${pattern}/`}`,
      );
  }
}

function checkGenes(file: AnnData, rules: ValidationProfile, report: Report): void {
  const lists = rules.geneLists ?? [];
  if (lists.length === 0) return;
  const known = lists.map((list) => new Set(list.ids));
  const names = lists.map((list) => list.name).join(" or ");
  const frames = [["var", () => file.var] as const, ["raw/var", () => file.raw?.var] as const];
  for (const [where, frameOf] of frames) {
    // What cannot be read is reported with its frame.
    if (report.unreadable(where) || report.unreadable("raw")) continue;
    const frame = frameOf();
    if (frame === undefined || report.unreadable(`${where}/${frame.indexName}`)) continue;
    const ids = frame.index();
    const unknown = new Tally();
    for (const id of ids) if (!known.some((set) => set.has(id))) unknown.hit(quoted(id));
    if (unknown.count > 0)
      report.add(
        "unknown_gene",
        where,
        `${unknown.count} of ${ids.length} features of ${where} are not in ${names}: ${unknown.shown}`,
        unknown,
      );
  }
}
