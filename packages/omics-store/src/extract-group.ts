import { join } from "node:path";
import { type DuckDBDataChunk, type DuckDBResult, DuckDBVarCharVector } from "@duckdb/node-api";
import {
  type BinMatrix,
  compactRows,
  createBinMatrix,
  type FeatureMap,
  type RowScratch,
} from "./bin-matrix.ts";
import { columnSink, sliceColumn } from "./column-sink.ts";
import { ASSIGNMENTS } from "./curriculum.ts";
import { type Duck, guarded } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import type { Ingest } from "./ingests.ts";
import type { MatrixMemory } from "./parquet/matrix-memory.ts";
import { quoteIdentifier, readParquet } from "./sql.ts";
import type { BinData, CurriculumBin, CurriculumManifest, ObsColumn } from "./types.ts";
import { viewBigInts, viewInts } from "./vectors.ts";

export interface ExtractContext {
  duck: Duck;
  curriculumDir: string;
  manifest: CurriculumManifest;
  ingests: Ingest[];
  nCols: number;
  maps: Map<string, FeatureMap>;
  columnOf: Map<string, number>;
  scratch: RowScratch;
  /** Where pages are decoded; its beginning holds the map of the ingest that is read. */
  memory: MatrixMemory;
  signal: AbortSignal | undefined;
}

/** Cells of one ingest that a group needs: `slots[cell id − first]` is the row in the group + 1, 0 for cells not wanted. */
export interface IngestPart {
  ingest: Ingest;
  first: number;
  last: number;
  slots: Int32Array;
  cells: number;
}

export interface Group {
  bins: CurriculumBin[];
  /** First group row of every bin, and the number of rows. */
  offsets: number[];
  cellIds: Float64Array;
  obs: [string, ObsColumn][];
  matrices: BinMatrix[];
  parts: IngestPart[];
}

/** Reads the assignments of the group's bins: ids, obs, row sizes, and where each ingest's cells go. */
export async function openGroup(context: ExtractContext, bins: CurriculumBin[]): Promise<Group> {
  const { manifest, duck, curriculumDir } = context;
  const total = bins.reduce((sum, b) => sum + b.cells, 0);
  const offsets = [0];
  for (const { cells } of bins) offsets.push(offsets.at(-1)! + cells);
  const offsetOf = new Map(bins.map((b, i) => [b.bin, offsets[i]!]));
  const sinks = manifest.obsColumns.map((c) =>
    columnSink(c, {
      categories: c.categorical ? manifest.categories[c.name] : undefined,
      nullable: c.nullable,
    }),
  );
  const cellIds = new Float64Array(total);
  const nnz = new Int32Array(total);
  const cellsOf = new Map<string, { id: number; row: number }[]>();
  const extra = manifest.obsColumns.map((c) => `, ${quoteIdentifier(c.column)}`).join("");
  // Bins in the requested order, so that rows arrive in group order.
  const order = `list_position([${bins.map((b) => b.bin).join(", ")}], extract_bin)`;
  const result = await duck.stream(
    `SELECT extract_bin, position, cell_id, ingest_id, nnz${extra} FROM ${readParquet([join(curriculumDir, ASSIGNMENTS)])}
     WHERE extract_bin IN (${bins.map((b) => b.bin).join(", ")}) ORDER BY ${order}, position`,
  );
  let row = 0;
  await eachChunk(context.signal, result, (chunk) => {
    const [binOf, position, ids, sizes] = [
      viewInts(chunk, 0),
      viewInts(chunk, 1),
      viewBigInts(chunk, 2),
      viewInts(chunk, 4),
    ];
    const ingestOf = chunk.getColumnVector(3);
    if (!(ingestOf instanceof DuckDBVarCharVector)) throw badAssignments(curriculumDir);
    for (let i = 0; i < chunk.rowCount; i++, row++) {
      if (row >= total || offsetOf.get(binOf[i]!)! + position[i]! !== row)
        throw badAssignments(curriculumDir);
      const id = Number(ids[i]);
      cellIds[row] = id;
      nnz[row] = sizes[i]!;
      const ingestId = ingestOf.getItem(i) ?? "";
      const cells = cellsOf.get(ingestId);
      if (cells) cells.push({ id, row });
      else cellsOf.set(ingestId, [{ id, row }]);
    }
    sinks.forEach((sink, c) => {
      sink.take(chunk, 5 + c);
    });
  });
  const known = new Set(context.ingests.map((ingest) => ingest.manifest.ingestId));
  // Cells of an ingest that the manifest does not name would stay without their counts.
  if (row !== total || [...cellsOf.keys()].some((id) => !known.has(id))) throw badAssignments(curriculumDir);
  return {
    bins,
    offsets,
    cellIds,
    obs: manifest.obsColumns.map((c, i) => [c.name, sinks[i]!.finish()]),
    matrices: bins.map((bin, i) => createBinMatrix(nnz.subarray(offsets[i]!, offsets[i]! + bin.cells))),
    parts: context.ingests.flatMap((ingest) => ingestPart(ingest, cellsOf.get(ingest.manifest.ingestId))),
  };
}

const badAssignments = (dir: string): OmicsStoreError =>
  new OmicsStoreError(
    "corrupt",
    `${join(dir, ASSIGNMENTS)} contradicts its manifest; prepare the curriculum again`,
  );

function ingestPart(ingest: Ingest, cells: { id: number; row: number }[] | undefined): IngestPart[] {
  if (cells === undefined) return [];
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const { id } of cells) {
    first = Math.min(first, id);
    last = Math.max(last, id);
  }
  const { cellIdStart, cells: count, ingestId } = ingest.manifest;
  if (first < cellIdStart || last >= cellIdStart + count)
    throw new OmicsStoreError(
      "corrupt",
      `cells ${first}..${last} are assigned to ingest ${ingestId}, which has not all of them`,
    );
  const slots = new Int32Array(last - first + 1);
  for (const { id, row } of cells) slots[id - first] = row + 1;
  return [{ ingest, first, last, slots, cells: cells.length }];
}

/**
 * Runs `use` on every chunk while DuckDB prepares the next one. Views into a chunk live as long as it does; `rowCount` is read again
 * after `use` to keep it alive until then.
 */
export async function eachChunk(
  signal: AbortSignal | undefined,
  result: DuckDBResult,
  use: (chunk: DuckDBDataChunk) => void | Promise<void>,
): Promise<void> {
  let chunk = await guarded(signal, () => result.fetchChunk());
  while (chunk !== null && chunk.rowCount > 0) {
    const next = guarded(signal, () => result.fetchChunk());
    next.catch(() => undefined); // awaited below, unless `use` throws first
    try {
      await use(chunk);
    } catch (error) {
      await next.catch(() => undefined); // the connection must be idle before it is closed
      throw error;
    }
    if (chunk.rowCount < 0) break;
    chunk = await next;
  }
}

/** The finished bin `i` of a group; its matrix is handed over and forgotten. */
export function finishBin(context: ExtractContext, group: Group, i: number): BinData {
  const bin = group.bins[i]!;
  const from = group.offsets[i]!;
  const to = group.offsets[i + 1]!;
  const rows = compactRows(group.matrices[i]!, context.nCols);
  group.matrices[i] = createBinMatrix(new Int32Array(0));
  const cellIds = group.cellIds.subarray(from, to);
  return {
    bin: bin.bin,
    cellIds,
    index: Array.from(cellIds, String),
    rows,
    obs: Object.fromEntries(group.obs.map(([name, column]) => [name, sliceColumn(column, from, to)])),
  };
}
