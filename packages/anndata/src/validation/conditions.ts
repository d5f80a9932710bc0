import { AnnDataError } from "../errors.ts";
import type { Column, DataFrame } from "../types.ts";
import type { Report } from "./report.ts";
import type { Condition } from "./types.ts";

/** Values of a column as text, each once; a code of -1 is a missing value. */
export interface Coded {
  texts: string[];
  codes: Int32Array;
}

export function codedTexts(column: Column): Coded {
  if (column.kind === "categorical") return { texts: column.categories, codes: column.codes };
  const texts: string[] = [];
  const known = new Map<string, number>();
  const code = (value: string): number => {
    let found = known.get(value);
    if (found === undefined) {
      found = texts.length;
      known.set(value, found);
      texts.push(value);
    }
    return found;
  };
  const codes = new Int32Array(column.values.length);
  for (let i = 0; i < codes.length; i++) {
    const value = column.values[i]!;
    if (value === null || (column.kind !== "string" && column.mask?.[i] === 1)) codes[i] = -1;
    else if (column.kind === "boolean") codes[i] = code(value === 0 ? "False" : "True");
    else codes[i] = code(String(value));
  }
  return { texts, codes };
}

/** What conditions are asked of. */
export interface Facts {
  frame: DataFrame;
  where: string;
  uns: ReadonlyMap<string, unknown>;
  report: Report;
}

/**
 * Rows of the frame where all conditions hold: all, none, or a flag per row. A column that is not there or cannot be read, which is
 * reported elsewhere, makes a condition false.
 */
export function rowsWhere(conditions: readonly Condition[], facts: Facts): Uint8Array | boolean {
  let rows: Uint8Array | boolean = true;
  for (const condition of conditions) {
    const found: Uint8Array | boolean =
      condition.column === undefined ? holdsOfUns(condition, facts.uns) : rowsOfColumn(condition, facts);
    if (found === false) return false;
    if (found === true) continue;
    if (rows === true) rows = found;
    else for (let i = 0; i < found.length; i++) rows[i]! &= found[i]!;
  }
  return rows;
}

function holdsOfUns({ uns: key, is, not }: Condition, uns: ReadonlyMap<string, unknown>): boolean {
  const value = uns.get(key!);
  if (value === undefined || value === null) return false;
  if (is === undefined && not === undefined) return true;
  return typeof value === "string" && taken(value, is, not);
}

function rowsOfColumn(condition: Condition, { frame, where, report }: Facts): Uint8Array | boolean {
  const { column: name, is, not } = condition;
  if (!frame.has(name!)) return false;
  if (is === undefined && not === undefined) return true;
  const found = readable(frame, name!);
  if (found === undefined || report.unreadable(`${where}/${name}`)) return false;
  const { texts, codes } = codedTexts(found);
  const fits = texts.map((text) => taken(text, is, not));
  if (codes.every((code) => fits[code] === true)) return codes.length > 0;
  return Uint8Array.from(codes, (code) => (fits[code] === true ? 1 : 0));
}

/** What cannot be read is told where the column itself is looked at. */
function readable(frame: DataFrame, name: string): Column | undefined {
  try {
    return frame.column(name);
  } catch (error) {
    if (error instanceof AnnDataError && error.tag !== "closed") return undefined;
    throw error;
  }
}

function taken(
  value: string,
  is: readonly string[] | undefined,
  not: readonly string[] | undefined,
): boolean {
  return (is === undefined || is.includes(value)) && (not === undefined || !not.includes(value));
}
