import type { Column, DataFrame } from "../types.ts";
import { checkColumn } from "./column-rules.ts";
import { type Facts, rowsWhere } from "./conditions.ts";
import { hash53, repeatedHashes } from "./names.ts";
import { quoted, type Report, Tally } from "./report.ts";
import type { ColumnRule, FrameRule, NameRule } from "./types.ts";

/** obs, var or raw/var: that every column can be read, that names are unique, and what the profile asks for. */
export function checkFrame(
  frame: DataFrame,
  where: string,
  what: "cells" | "genes",
  rule: FrameRule,
  uns: ReadonlyMap<string, unknown>,
  report: Report,
): void {
  if (frame.length === 0) {
    const code = what === "cells" ? "no_cells" : "no_genes";
    report.add(code, where, `${where} is empty: there are no ${what}`);
  } else if (rule.usualRows !== undefined && frame.length < rule.usualRows)
    report.add(
      "few_genes",
      where,
      `${where} has ${frame.length} ${what}; fewer than ${rule.usualRows} are seldom all there were`,
      { severity: "warning" },
    );
  const facts: Facts = { frame, where, uns, report };
  checkNames(frame, where, what, rule.index, facts);
  const rules = new Map((rule.columns ?? []).map((column) => [column.name, column]));
  for (const name of frame.columnNames) {
    const at = `${where}/${name}`;
    const column = report.attempt(at, () => frame.column(name));
    const columnRule = rules.get(name);
    if (column === undefined) continue;
    if (column.kind === "categorical") checkCategories(column, rule, at, report);
    if (columnRule !== undefined) checkColumn(column, columnRule, at, facts);
  }
  for (const columnRule of rules.values()) checkPresence(columnRule, facts);
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
  facts: Facts,
): void {
  const { report } = facts;
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
  const asked: NameRule[] = [
    rule,
    ...(rule.cases ?? []).filter(({ when }) => rowsWhere(when, facts) === true),
  ];
  // The last says most; a name is told by the first that it breaks.
  const patterns = asked.map(({ pattern }) => new RegExp(pattern));
  const bad = asked.map(() => new Tally());
  for (const name of names) {
    const broken = patterns.findIndex((pattern) => !pattern.test(name));
    if (broken >= 0) bad[broken]!.hit(quoted(name));
  }
  for (const [i, tally] of bad.entries())
    if (tally.count > 0)
      report.add(
        "bad_name",
        at,
        `${tally.count} of ${names.length} names are not ${asked[i]!.says}: ${tally.shown}`,
        tally,
      );
}

function checkPresence({ name, required, onlyIf, says }: ColumnRule, facts: Facts): void {
  const { frame, where, report } = facts;
  const wanted = onlyIf === undefined || rowsWhere(onlyIf, facts) !== false;
  const at = `${where}/${name}`;
  if (wanted && required !== false && !frame.has(name))
    report.add(
      "missing_column",
      at,
      `${where} has no column ${name}${says === undefined ? "" : ` (${says})`}`,
    );
  if (!wanted && frame.has(name)) {
    const needed = onlyIf!.map(({ column, uns }) =>
      column === undefined ? `uns/${uns}` : `${where}/${column}`,
    );
    report.add("forbidden_column", at, `${where} has a column ${name} without ${needed.join(" and ")}`);
  }
}

function checkCategories(
  column: Extract<Column, { kind: "categorical" }>,
  rule: FrameRule,
  at: string,
  report: Report,
): void {
  if (rule.warnOfUnusedCategories !== true) return;
  const used = new Uint8Array(column.categories.length);
  for (const code of column.codes) if (code >= 0) used[code] = 1;
  const unused = new Tally();
  for (const [code, category] of column.categories.entries())
    if (used[code] === 0) unused.hit(quoted(category));
  if (unused.count > 0)
    report.add("unused_category", at, `${at} has ${unused.count} categories without a row: ${unused.shown}`, {
      severity: "warning",
      count: unused.count,
      examples: unused.examples,
    });
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
