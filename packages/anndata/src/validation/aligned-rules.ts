import type { Aligned, AnnData } from "../types.ts";
import type { Report } from "./report.ts";
import type { ObsmRule, ValidationProfile } from "./types.ts";

/** Rows of an embedding that are looked at together. */
const batchRows = 65_536;

/** obsm, varm, obsp and varp: that every entry can be opened, and what the profile says of them. */
export function checkAligned(
  file: AnnData,
  profile: ValidationProfile,
  uns: ReadonlyMap<string, unknown>,
  report: Report,
): void {
  const rule = profile.obsm ?? {};
  for (const part of ["obsm", "varm", "obsp", "varp"] as const) {
    const entries = report.attempt(part, () => file.aligned[part]) ?? new Map<string, Aligned>();
    for (const key of entries.keys()) {
      const where = `${part}/${key}`;
      const entry = report.attempt(where, () => entries.get(key));
      if (entry === undefined) continue;
      if (profile.alignedNotEmpty === true && entry.kind === "array" && entry.shape.includes(0))
        report.add("empty_array", where, `${where} has shape [${entry.shape}]: there is nothing in it`);
      else if (part === "obsm") checkEntry(key, entry, rule, report);
      if (part === "obsm") checkKey(key, rule, uns, report);
    }
  }
  const prefix = rule.atLeastOne;
  if (prefix === undefined || (rule.noneWith !== undefined && uns.has(rule.noneWith))) return;
  if (!file.obsmKeys.some((key) => key.startsWith(prefix)))
    report.add("missing_obsm", "obsm", `obsm has no embedding: no key begins with ${prefix}`);
}

function checkKey(key: string, rule: ObsmRule, uns: ReadonlyMap<string, unknown>, report: Report): void {
  const where = `obsm/${key}`;
  const { names } = rule;
  if (names !== undefined && !new RegExp(names.pattern).test(key))
    report.add("bad_name", where, `${where} is not ${names.says}`);
  if (rule.warnOfOthers === true && !isEmbedding(key, rule))
    report.add("bad_obsm", where, `${where} is no embedding by its name; who shows embeddings passes it by`, {
      severity: "warning",
    });
  for (const needed of rule.onlyWith ?? [])
    if (needed.key === key && !uns.has(needed.uns))
      report.add("bad_obsm", where, `${where} is there without uns/${needed.uns}`);
}

function isEmbedding(key: string, { embeddings = "^X_" }: ObsmRule): boolean {
  return new RegExp(embeddings).test(key);
}

function checkEntry(key: string, entry: Aligned, rule: ObsmRule, report: Report): void {
  const where = `obsm/${key}`;
  if (entry.kind !== "array") {
    // Arrays whose elements are no numbers come as "other".
    if (rule.numbersOnly === true)
      report.add(
        "bad_obsm",
        where,
        `${where} is ${entry.kind === "other" ? "no array of numbers" : `a ${entry.kind}`}, expected an array of numbers`,
      );
    return;
  }
  const embedding = isEmbedding(key, rule);
  const severity = embedding ? "error" : "warning";
  if (rule.numbersOnly === true && entry.dtype === "bool")
    report.add("bad_obsm", where, `${where} holds booleans, expected numbers`, { severity });
  if (rule.minColumns === undefined) return;
  const columns = entry.shape[1] ?? 1;
  if (embedding && columns < rule.minColumns) {
    report.add("bad_obsm", where, `${where} has ${columns} columns, expected at least ${rule.minColumns}`);
    return;
  }
  const numbers = report.attempt(where, () => look(entry));
  if (numbers === undefined || numbers.all === 0) return;
  if (numbers.nan === numbers.all)
    report.add("bad_obsm", where, `${where} has no number that is not NaN`, { severity });
  if (rule.noInfinity === true && numbers.infinite > 0)
    report.add("bad_obsm", where, `${where} has ${numbers.infinite} infinite values`, { severity });
}

function look(entry: Extract<Aligned, { kind: "array" }>): { all: number; nan: number; infinite: number } {
  const found = { all: 0, nan: 0, infinite: 0 };
  const rows = entry.shape[0] ?? 0;
  for (let start = 0; start < rows; start += batchRows) {
    const values = entry.rows(start, Math.min(rows, start + batchRows));
    found.all += values.length;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (Number.isFinite(value)) continue;
      if (Number.isNaN(value)) found.nan += 1;
      else found.infinite += 1;
    }
  }
  return found;
}
