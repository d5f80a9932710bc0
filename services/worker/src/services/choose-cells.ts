import type { AnnData } from "@cytomesh/anndata";
import { refuse, type Violation } from "../errors.ts";
import type { GeneExpressionParameters } from "../schemas/tasks.ts";
import { suggestion } from "./close-names.ts";
import { textOf } from "./column-values.ts";

/** Values listed in a message at most. */
const maxListed = 20;

/**
 * Positions of the cells asked for, ascending; undefined for all. A cell set is `<obs column>-<value>`, as in "louvain-0".
 *
 * @throws AnalysisError `unknown-name` with every set, column and value that the file does not have
 */
export function chooseCells(
  { obs }: AnnData,
  { cellSets, cells }: Pick<GeneExpressionParameters, "cellSets" | "cells">,
): Int32Array | undefined {
  const wanted = new Map<string, Set<string>>();
  const want = (column: string, value: string) =>
    wanted.set(column, (wanted.get(column) ?? new Set<string>()).add(value));
  const violations: Violation[] = [];
  const fields = new Map<string, string>();
  const name = (column: string, value: string, field: string) => {
    want(column, value);
    fields.set(`${column}\n${value}`, field);
  };
  if (cells !== undefined) {
    if (obs.has(cells.column))
      for (const [i, value] of cells.values.entries())
        name(cells.column, value, `spec.parameters.cells.values.${i}`);
    else
      violations.push({
        field: "spec.parameters.cells.column",
        description: `no obs column ${JSON.stringify(cells.column)}; obs has ${obs.columnNames.slice(0, 50).join(", ") || "no columns"}`,
      });
  }
  for (const [i, key] of (cellSets === "all" ? [] : cellSets).entries()) {
    const field = `spec.parameters.cellSets.${i}`;
    // The longest column that fits, as both columns and values may have dashes.
    const column = obs.columnNames
      .filter((column) => key.startsWith(`${column}-`))
      .sort((a, b) => b.length - a.length)[0];
    if (column === undefined)
      violations.push({
        field,
        description: `expected <obs column>-<value>, found ${JSON.stringify(key)}${suggestion(key.split("-")[0] ?? "", obs.columnNames)}`,
      });
    else name(column, key.slice(column.length + 1), field);
  }
  const chosen = new Uint8Array(obs.length);
  for (const [column, values] of wanted) {
    const text = textOf(obs.column(column));
    const present = new Set<string>();
    for (let cell = 0; cell < obs.length; cell++) {
      const value = text(cell);
      if (value === undefined) continue;
      present.add(value);
      if (values.has(value)) chosen[cell] = 1;
    }
    for (const value of values)
      if (!present.has(value))
        violations.push({
          field: fields.get(`${column}\n${value}`) ?? "spec.parameters",
          description: `no cell has ${JSON.stringify(value)} in obs column ${column}; it has ${listed(present)}`,
        });
  }
  if (violations.length > 0) throw refuse("unknown-name", violations);
  if (wanted.size === 0) return undefined;
  return Int32Array.from(chosen.keys().filter((cell) => chosen[cell] === 1));
}

function listed(values: ReadonlySet<string>): string {
  const shown = [...values].slice(0, maxListed).join(", ");
  return values.size > maxListed ? `${shown} and ${values.size - maxListed} more` : shown || "no values";
}
