import type { Column, DataFrame } from "@cytomesh/anndata";
import { IngestError } from "../errors.ts";

/** Type of an obs column in the warehouse. */
export type ObsType = "string" | "int" | "float" | "bool";

/** An obs column of the file on its way to the warehouse. */
export interface ObsSource {
  /** Name in the warehouse. */
  readonly name: string;
  /** Name in the file; `undefined` for the obs index. */
  readonly source: string | undefined;
  readonly type: ObsType;
}

/** Columns at most; more are a sign of a matrix in the wrong place. */
const maxColumns = 500;

const integerDtypes = new Set(["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]);

/** The obs columns that a file brings, renamed by the mapping. */
export function planObs(obs: DataFrame, mapping: Readonly<Record<string, string>>): ObsSource[] {
  if (obs.columnNames.length > maxColumns)
    throw new IngestError(
      "invalid-file",
      `obs has ${obs.columnNames.length} columns, more than the ${maxColumns} that an ingest takes; move matrices to obsm`,
    );
  const unknown = Object.keys(mapping).filter((from) => from !== "index" && !obs.has(from));
  if (unknown.length > 0)
    throw new IngestError(
      "invalid-file",
      `the obs mapping names ${unknown.join(", ")}, but obs has ${obs.columnNames.join(", ") || "no columns"}`,
    );
  // Columns may be called "constructor"; what objects inherit is not a mapping.
  const renamed = new Map(Object.entries(mapping));
  const sources: ObsSource[] = [];
  const fromIndex = renamed.get("index");
  if (fromIndex !== undefined) sources.push({ name: fromIndex, source: undefined, type: "string" });
  // "index" names the obs index, so a column of that name keeps it.
  renamed.delete("index");
  for (const source of obs.columnNames)
    sources.push({ name: renamed.get(source) ?? source, source, type: typeOf(obs.column(source, 0, 0)) });
  const seen = new Set<string>();
  for (const { name } of sources) {
    if (seen.has(name))
      throw new IngestError("invalid-file", `two obs columns would be named "${name}"; change the mapping`);
    seen.add(name);
  }
  return sources;
}

function typeOf(column: Column): ObsType {
  switch (column.kind) {
    case "categorical":
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "number":
      return integerDtypes.has(column.dtype) ? "int" : "float";
  }
}
