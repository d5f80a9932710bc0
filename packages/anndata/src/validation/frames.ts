import type { Column, DataFrame } from "../types.ts";
import { hash53, repeatedHashes } from "./names.ts";
import { quoted, type Report, Tally } from "./report.ts";
import type { ColumnRule, FrameRule } from "./types.ts";

/** obs, var or raw/var: that every column can be read, that names are unique, and what the profile asks for. */
export function checkFrame(
  frame: DataFrame,
  where: string,
  what: "cells" | "genes",
  rule: FrameRule,
  report: Report,
): void {
  if (frame.length === 0) {
    const code = what === "cells" ? "no_cells" : "no_genes";
    report.add(code, where, `${where} is empty: there are no ${what}`);
  }
  checkNames(frame, where, what, rule.index, report);
  const rules = new Map((rule.columns ?? []).map((column) => [column.name, column]));
  for (const name of frame.columnNames) {
    const at = `${where}/${name}`;
    const column = report.attempt(at, () => frame.column(name));
    const columnRule = rules.get(name);
    if (column !== undefined && columnRule !== undefined) checkColumn(column, columnRule, at, report);
  }
  for (const { name, required, says } of rules.values())
    if (required !== false && !frame.has(name))
      report.add(
        "missing_column",
        `${where}/${name}`,
        `${where} has no column ${name}${says === undefined ? "" : ` (${says})`}`,
      );
  for (const { name, says } of rule.forbidden ?? [])
    if (frame.has(name))
      report.add(
        "forbidden_column",
        `${where}/${name}`,
        `${where} has a column ${name}, which must not be there: ${says}`,
      );
}

function checkNames(
  frame: DataFrame,
  where: string,
  what: "cells" | "genes",
  rule: FrameRule["index"],
  report: Report,
): void {
  const at = `${where}/${frame.indexName}`;
  const names = report.attempt(at, () => frame.index());
  if (names === undefined) return;
  const repeated = repeatedNames(names);
  if (repeated.length > 0) {
    const tally = new Tally();
    for (const name of repeated) tally.hit(quoted(name));
    report.add(
      what === "cells" ? "duplicate_obs_name" : "duplicate_var_name",
      at,
      `${tally.count} of the names occur more than once, for example ${tally.shown}; make them unique`,
      tally,
    );
  }
  const empty = names.indexOf("");
  if (empty >= 0) report.add("empty_name", at, `row ${empty} has an empty name`);
  if (rule === undefined) return;
  const pattern = new RegExp(rule.pattern);
  const bad = new Tally();
  for (const name of names) if (!pattern.test(name)) bad.hit(quoted(name));
  if (bad.count > 0)
    report.add(
      "bad_name",
      at,
      `${bad.count} of ${names.length} names are not ${rule.says}: ${bad.shown}`,
      bad,
    );
}

/** Every name that occurs more than once. */
function repeatedNames(names: readonly string[]): string[] {
  const hashes = new Float64Array(names.length);
  for (let i = 0; i < names.length; i++) hashes[i] = hash53(names[i] as string);
  const suspects = repeatedHashes(hashes);
  if (suspects.size === 0) return [];
  const seen = new Map<string, number>();
  for (let i = 0; i < names.length; i++)
    if (suspects.has(hashes[i] as number))
      seen.set(names[i] as string, (seen.get(names[i] as string) ?? 0) + 1);
  return [...seen].filter(([, times]) => times > 1).map(([name]) => name);
}

function checkColumn(column: Column, rule: ColumnRule, at: string, report: Report): void {
  const { kinds } = rule;
  if (kinds !== undefined && !kinds.includes(column.kind)) {
    report.add(
      "wrong_kind",
      at,
      `${at} is ${described(column)}, expected ${kinds.join(" or ")}${rule.says === undefined ? "" : `: ${rule.says}`}`,
    );
    return;
  }
  const missing = missingRows(column);
  if (missing.count > 0 && rule.missingAllowed !== true)
    report.add(
      "missing_value",
      at,
      `${at} has no value in ${missing.count} of ${missing.rows} rows, the first is row ${missing.first}`,
      {
        count: missing.count,
      },
    );
  if (rule.pattern === undefined && rule.values === undefined) return;
  const takes = matcher(rule);
  const bad = new Tally();
  for (const [value, times] of distinctTexts(column)) if (!takes(value)) bad.hit(quoted(value), times);
  if (bad.count > 0)
    report.add(
      "bad_value",
      at,
      `${at} has ${bad.count} values that are not ${rule.says ?? `like /${rule.pattern}/`}: ${bad.shown}`,
      bad,
    );
}

/** Whether a value satisfies the rule. */
function matcher(rule: ColumnRule): (value: string) => boolean {
  const pattern = rule.pattern === undefined ? undefined : new RegExp(rule.pattern);
  const { separator } = rule;
  return (value) => {
    if (rule.values?.includes(value)) return true;
    if (pattern === undefined) return false;
    if (separator === undefined) return pattern.test(value);
    const parts = value.split(separator);
    return parts.every((part, i) => pattern.test(part) && (i === 0 || (parts[i - 1] as string) < part));
  };
}

/** Values of a column as text with how often each occurs; missing ones left out. */
function distinctTexts(column: Column): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (value: string) => counts.set(value, (counts.get(value) ?? 0) + 1);
  switch (column.kind) {
    case "categorical": {
      const times = new Float64Array(column.categories.length);
      for (const code of column.codes) if (code >= 0) times[code] = (times[code] as number) + 1;
      for (const [code, category] of column.categories.entries())
        if ((times[code] as number) > 0)
          counts.set(category, (counts.get(category) ?? 0) + (times[code] as number));
      break;
    }
    case "string":
      for (const value of column.values) if (value !== null) add(value);
      break;
    case "number":
      for (let i = 0; i < column.values.length; i++)
        if (column.mask?.[i] !== 1) add(String(column.values[i]));
      break;
    case "boolean":
      for (let i = 0; i < column.values.length; i++)
        if (column.mask?.[i] !== 1) add(column.values[i] === 0 ? "False" : "True");
  }
  return counts;
}

function missingRows(column: Column): { count: number; first: number; rows: number } {
  const rows = column.kind === "categorical" ? column.codes.length : column.values.length;
  const missing = (i: number): boolean => {
    if (column.kind === "categorical") return (column.codes[i] as number) < 0;
    if (column.kind === "string") return column.values[i] === null;
    return column.mask?.[i] === 1 || Number.isNaN(column.values[i]);
  };
  let count = 0;
  let first = -1;
  for (let i = 0; i < rows; i++) {
    if (!missing(i)) continue;
    if (count++ === 0) first = i;
  }
  return { count, first, rows };
}

function described(column: Column): string {
  return column.kind === "number" ? `a column of ${column.dtype}` : `a ${column.kind} column`;
}
