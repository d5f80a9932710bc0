import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createIngestWriter } from "./ingest-writer.ts";
import type { CountsType, CsrRowsLike, IngestManifest, ObsColumn, ObsField } from "./types.ts";

/** Test data as plain rows: what the tests' own reference implementations work on. */
export type Value = string | number | boolean | null;

export interface TestCell {
  original: string;
  obs: Record<string, Value>;
  /** [feature position, count] in any order, repeats allowed. */
  entries: [number, number][];
}

export interface TestIngest {
  id: string;
  cellIdStart: number;
  featureIdStart: number;
  genes: string[];
  schema: ObsField[];
  countsType: CountsType;
  cells: TestCell[];
}

export async function inTempDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "omics-store-"));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export function csr(cells: readonly TestCell[], nCols: number): CsrRowsLike {
  const indptr = new Float64Array(cells.length + 1);
  for (const [i, cell] of cells.entries()) indptr[i + 1] = indptr[i]! + cell.entries.length;
  const all = cells.flatMap((c) => c.entries);
  return {
    nRows: cells.length,
    nCols,
    indptr,
    indices: Int32Array.from(all, ([column]) => column),
    data: Float32Array.from(all, ([, value]) => value),
  };
}

/** String columns become categorical in every second call, so that both kinds are written. */
export function obsColumn(field: ObsField, values: readonly Value[], categorical: boolean): ObsColumn {
  const mask = Uint8Array.from(values, (v) => (v === null ? 1 : 0));
  switch (field.type) {
    case "string": {
      if (!categorical) return { kind: "string", values: values.map((v) => (v === null ? null : String(v))) };
      const categories = [...new Set(values.filter((v) => v !== null).map(String))];
      const codes = Int32Array.from(values, (v) => (v === null ? -1 : categories.indexOf(String(v))));
      return { kind: "categorical", codes, categories, ordered: false };
    }
    case "int":
      return { kind: "number", dtype: "int64", values: Float64Array.from(values, Number), mask };
    case "float":
      return {
        kind: "number",
        dtype: "float64",
        values: Float64Array.from(values, (v) => (v === null ? Number.NaN : Number(v))),
      };
    case "bool":
      return { kind: "boolean", values: Uint8Array.from(values, (v) => (v === true ? 1 : 0)), mask };
  }
}

export async function writeIngest(
  dir: string,
  ingest: TestIngest,
  batchRows = 1000,
  extra: {
    filesMaxCells?: number;
    pageCells?: number;
    rowGroupBytes?: number;
    encoding?: "delta" | "plain";
  } = {},
): Promise<IngestManifest> {
  const writer = await createIngestWriter({
    dir,
    ingestId: ingest.id,
    cellIdStart: ingest.cellIdStart,
    featureIdStart: ingest.featureIdStart,
    features: {
      ids: ingest.genes,
      columns: { name: { kind: "string", values: ingest.genes.map((g) => `name of ${g}`) } },
    },
    obsSchema: ingest.schema,
    countsType: ingest.countsType,
    provenance: { sourceName: `file:///${ingest.id}.h5ad`, sha256: "0".repeat(64) },
    ...extra,
  });
  for (let from = 0; from < ingest.cells.length; from += batchRows) {
    const cells = ingest.cells.slice(from, from + batchRows);
    const columns = ingest.schema.map((field) => [
      field.name,
      obsColumn(
        field,
        cells.map((c) => c.obs[field.name] ?? null),
        from % 2 === 0,
      ),
    ]);
    await writer.append({
      rows: csr(cells, ingest.genes.length),
      originalIds: cells.map((c) => c.original),
      totals: Float64Array.from(cells, (c) => c.entries.reduce((sum, [, v]) => sum + v, 0)),
      obs: Object.fromEntries(columns),
    });
  }
  return writer.finish();
}

/** A value of a column as the tests write it: numbers NaN → null. */
export function valueAt(column: ObsColumn, row: number): Value {
  switch (column.kind) {
    case "categorical":
      return column.codes[row] === -1 ? null : column.categories[column.codes[row]!]!;
    case "string":
      return column.values[row]!;
    case "number":
      return column.mask?.[row] === 1 || Number.isNaN(column.values[row]) ? null : column.values[row]!;
    case "boolean":
      return column.mask?.[row] === 1 ? null : column.values[row] === 1;
  }
}
