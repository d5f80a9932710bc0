import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Checks } from "../../schemas/checks.ts";

const OPS = ["eq", "not_eq", "in", "not_in", "gt", "gte", "lt", "lte"];
const MAX_FILTERS = 1_000;
const MAX_LIST = 10_000;
const MAX_TEXT = 4_096;

/** `{"column__op": value}`: what can be known without knowing the columns. */
export function checkFilters(checks: Checks, field: string, filters: JsonObject): void {
  const entries = Object.entries(filters);
  if (entries.length > MAX_FILTERS)
    checks.add(field, `expected at most ${MAX_FILTERS} filters, found ${entries.length}`);
  for (const [key, value] of entries.slice(0, MAX_FILTERS)) {
    const at = `${field}[${JSON.stringify(key.slice(0, 80))}]`;
    checks.optionalText(at, key, MAX_TEXT);
    const cut = key.lastIndexOf("__");
    const op = key.slice(cut + 2);
    if (cut < 1 || !OPS.includes(op))
      checks.add(at, `expected a key "column__op" with op one of ${OPS.join(", ")}`);
    else checkValue(checks, at, op, value);
  }
}

function checkValue(checks: Checks, at: string, op: string, value: JsonValue): void {
  if (op === "in" || op === "not_in") checkList(checks, at, op, value);
  else if (op !== "eq" && op !== "not_eq" && typeof value !== "number")
    checks.add(at, `${op} needs a number`);
  else checkScalar(checks, at, value);
}

function checkList(checks: Checks, at: string, op: string, value: JsonValue): void {
  if (!Array.isArray(value) || value.length === 0) {
    checks.add(at, `${op} needs a list with at least one value`);
  } else if (value.length > MAX_LIST) {
    checks.add(at, `expected at most ${MAX_LIST} values, found ${value.length}`);
  } else {
    for (const [i, entry] of value.entries()) checkScalar(checks, `${at}[${i}]`, entry);
    if (new Set(value.map((entry) => typeof entry)).size > 1)
      checks.add(at, "expected values of one type: strings, numbers or booleans");
  }
}

function checkScalar(checks: Checks, at: string, value: JsonValue): void {
  if (typeof value === "string") checks.optionalText(at, value, MAX_TEXT);
  else if (typeof value === "number" && !Number.isFinite(value))
    checks.add(at, `expected a finite number, found ${value}`);
  else if (typeof value !== "number" && typeof value !== "boolean")
    checks.add(at, "expected a string, a number or a boolean");
}
