import type { AnnData } from "../types.ts";
import { cssColours } from "./colours.ts";
import { quoted, type Report } from "./report.ts";
import type { UnsRule, ValidationProfile } from "./types.ts";

/** `uns` as JSON, read once for all rules; empty when it cannot be read, which is then reported. */
export function readUns(file: AnnData, report: Report): ReadonlyMap<string, unknown> {
  const uns = report.attempt("uns", () => file.uns());
  return new Map(Object.entries(typeof uns === "object" && uns !== null ? uns : {}));
}

/** What the profile says of the keys of uns and their values. */
export function checkUns(
  file: AnnData,
  uns: ReadonlyMap<string, unknown>,
  profile: ValidationProfile,
  report: Report,
): void {
  for (const rule of profile.uns ?? []) checkKey(file, uns.get(rule.key), rule, report);
  for (const { name, says } of profile.unsForbidden ?? [])
    if (uns.has(name))
      report.add("forbidden_uns", `uns/${name}`, `uns has a key ${name}, which must not be there: ${says}`);
  for (const [key, value] of uns) {
    const where = `uns/${key}`;
    if (profile.unsNotEmpty === true && isEmpty(value) && !report.failed(where))
      report.add("bad_uns", where, `${where} is empty; leave it out, or say something`);
    if (profile.colours === true && key.endsWith("_colors")) checkColours(file, key, value, report);
  }
}

function checkKey(file: AnnData, value: unknown, rule: UnsRule, report: Report): void {
  const { key, required, says } = rule;
  const where = `uns/${key}`;
  if (value === undefined || value === null) {
    if (required !== false)
      report.add("missing_uns", where, `uns has no ${key}${says === undefined ? "" : ` (${says})`}`);
    return;
  }
  const bad = (found: unknown) =>
    report.add(
      "bad_uns",
      where,
      `${where} is ${quoted(typeof found === "string" ? found : JSON.stringify(found))}, expected ${says ?? (rule.pattern === undefined ? "one of those known" : `text like /${rule.pattern}/`)}`,
    );
  if (rule.list === true) {
    if (!Array.isArray(value)) bad(value);
    else for (const one of value) if (!takes(file, one, rule)) bad(one);
  } else if (!takes(file, value, rule)) bad(value);
}

function takes(file: AnnData, value: unknown, { pattern, values, refersTo }: UnsRule): boolean {
  if (pattern === undefined && values === undefined && refersTo === undefined) return true;
  if (typeof value !== "string") return false;
  if (values !== undefined && !values.includes(value)) return false;
  if (pattern !== undefined && !new RegExp(pattern).test(value)) return false;
  if (refersTo === "obs") return file.obs.has(value);
  return refersTo === undefined || file.obsmKeys.includes(value);
}

function isEmpty(value: unknown): boolean {
  if (typeof value === "string" || Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** A colour per category of a categorical column of obs: all as #rrggbb, or all by their names in CSS. */
function checkColours(file: AnnData, key: string, value: unknown, report: Report): void {
  const where = `uns/${key}`;
  const name = key.slice(0, -"_colors".length);
  if (report.unreadable(`obs/${name}`)) return;
  const bad = (message: string) => report.add("bad_uns", where, `${where} ${message}`);
  const column = file.obs.has(name) ? file.obs.column(name) : undefined;
  if (column === undefined) bad(`has no column obs/${name} to colour`);
  else if (column.kind !== "categorical") bad(`colours obs/${name}, which is a ${column.kind} column`);
  else for (const problem of wrongColours(value, column.codes)) bad(problem);
}

function* wrongColours(value: unknown, codes: Int32Array): Generator<string> {
  // Beyond a thousand only the shape is told.
  if (typeof value === "object" && value !== null && "shape" in value) return;
  if (!Array.isArray(value) || !value.every((colour) => typeof colour === "string")) {
    yield `is ${quoted(JSON.stringify(value) ?? "null")}, expected a list of colours`;
    return;
  }
  const used = new Set(codes);
  used.delete(-1);
  if (value.length < used.size) yield `has ${value.length} colours for ${used.size} categories`;
  const hex = (colour: string) => /^#[0-9a-fA-F]{6}$/.test(colour);
  if (!value.every(hex) && !value.every((colour) => cssColours.has(colour)))
    yield `has colours that are not all like #1f77b4, nor all names of CSS: ${quoted(value.join(", "))}`;
}
