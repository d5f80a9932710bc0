import { AnnDataError } from "../errors.ts";
import type { AnnData } from "../types.ts";
import { checkAligned } from "./aligned-rules.ts";
import { checkFrame } from "./frames.ts";
import { checkMatrices } from "./matrix-rules.ts";
import { validationProfiles } from "./profiles.ts";
import { createReport, quoted, type Report, Tally } from "./report.ts";
import type { ValidateOptions, ValidationProblem, ValidationProfile } from "./types.ts";
import { checkUnsReads } from "./uns-reads.ts";
import { checkUns, readUns } from "./uns-rules.ts";

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
  const uns = readUns(file, report);
  checkFrame(file.obs, "obs", "cells", rules.obs ?? {}, uns, report);
  checkFrame(file.var, "var", "genes", rules.var ?? {}, uns, report);
  const raw = report.attempt("raw", () => file.raw);
  if (raw !== undefined) checkFrame(raw.var, "raw/var", "genes", rules.rawVar ?? {}, uns, report);
  checkMatrices(file, raw, rules, entries, report);
  checkAligned(file, rules, uns, report);
  checkUns(file, uns, rules, report);
  checkUnsReads(file, report);
  checkPrefix(file, raw, uns, rules.reservedPrefix, report);
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

/** No column and no key may begin with what is reserved. */
function checkPrefix(
  file: AnnData,
  raw: AnnData["raw"],
  uns: ReadonlyMap<string, unknown>,
  prefix: string | undefined,
  report: Report,
): void {
  if (prefix === undefined) return;
  const names: [string, Iterable<string>][] = [
    ["obs", file.obs.columnNames],
    ["var", file.var.columnNames],
    ["raw/var", raw?.var.columnNames ?? []],
    ["uns", uns.keys()],
  ];
  for (const part of ["obsm", "varm", "obsp", "varp"] as const)
    if (!report.failed(part)) names.push([part, file.aligned[part].keys()]);
  for (const [where, all] of names)
    for (const name of all)
      if (name.startsWith(prefix))
        report.add(
          "reserved_name",
          `${where}/${name}`,
          `${where}/${name} begins with ${prefix}, which is reserved`,
        );
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
