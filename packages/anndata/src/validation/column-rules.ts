import type { Column } from "../types.ts";
import { type Coded, codedTexts, type Facts, rowsWhere } from "./conditions.ts";
import { quoted, type Report, Tally } from "./report.ts";
import type { ColumnRule, ValueRule } from "./types.ts";

/** What the profile says of one column: its kind, missing values, its values, and those of some rows. */
export function checkColumn(column: Column, rule: ColumnRule, at: string, facts: Facts): void {
  const { report } = facts;
  const { kinds } = rule;
  if (kinds !== undefined && !kinds.includes(column.kind)) {
    report.add(
      "wrong_kind",
      at,
      `${at} is ${described(column)}, expected ${kinds.join(" or ")}${rule.says === undefined ? "" : `: ${rule.says}`}`,
    );
    return;
  }
  if (rule.textCategories === true && column.kind === "categorical" && column.categoryValues !== undefined)
    report.add("wrong_kind", at, `${at} has ${column.categoryValues.kind}s as categories, expected text`);
  const missing = missingRows(column);
  if (missing.count > 0 && rule.missingAllowed !== true)
    report.add(
      "missing_value",
      at,
      `${at} has no value in ${missing.count} of ${missing.rows} rows, the first is row ${missing.first}`,
      { count: missing.count },
    );
  const cases = rule.cases ?? [];
  if (cases.length === 0 && !saysOfValues(rule)) return;
  const coded = codedTexts(column);
  // A value is told once, by the first rule that it breaks.
  const told = new Set<number>();
  checkValues(coded, true, rule, at, report, told);
  for (const one of cases) {
    const rows = rowsWhere(one.when, facts);
    if (rows === false) continue;
    checkValues(coded, rows, one, at, report, told);
    if (one.allOrNone !== undefined) checkAllOrNone(coded, rows, one.allOrNone, at, report);
  }
}

function saysOfValues({ pattern, values, refused }: ValueRule): boolean {
  return pattern !== undefined || values !== undefined || refused !== undefined;
}

function checkValues(
  { texts, codes }: Coded,
  rows: Uint8Array | true,
  rule: ValueRule,
  at: string,
  report: Report,
  told: Set<number>,
): void {
  if (!saysOfValues(rule)) return;
  const times = new Float64Array(texts.length);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    if (code >= 0 && (rows === true || rows[i] === 1)) times[code]! += 1;
  }
  const takes = matcher(rule);
  const bad = new Tally();
  for (const [code, text] of texts.entries()) {
    if (times[code] === 0 || told.has(code) || takes(text)) continue;
    told.add(code);
    bad.hit(quoted(text), times[code]);
  }
  if (bad.count > 0)
    report.add(
      "bad_value",
      at,
      `${at} has ${bad.count} values that are not ${rule.says ?? `like /${rule.pattern}/`}: ${bad.shown}`,
      bad,
    );
}

/** Either all of these rows have one of the values, or none has. */
function checkAllOrNone(
  { texts, codes }: Coded,
  rows: Uint8Array | true,
  values: readonly string[],
  at: string,
  report: Report,
): void {
  const among = texts.map((text) => values.includes(text));
  let all = 0;
  let having = 0;
  for (let i = 0; i < codes.length; i++) {
    if (rows !== true && rows[i] !== 1) continue;
    all += 1;
    if (among[codes[i]!] === true) having += 1;
  }
  if (having > 0 && having < all)
    report.add(
      "bad_value",
      at,
      `${at} is ${values.join(" or ")} in ${having} of ${all} rows of their kind: all of them must be, or none`,
      { count: all - having },
    );
}

/** Whether a value satisfies the rule. */
function matcher(rule: ValueRule): (value: string) => boolean {
  const pattern = rule.pattern === undefined ? undefined : new RegExp(rule.pattern);
  const { separator } = rule;
  return (value) => {
    if (rule.refused?.includes(value) === true) return false;
    if (rule.values?.includes(value)) return true;
    if (pattern === undefined) return rule.values === undefined;
    if (separator === undefined) return pattern.test(value);
    const parts = value.split(separator);
    return parts.every((part, i) => pattern.test(part) && (i === 0 || (parts[i - 1] as string) < part));
  };
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
