import { join } from "node:path";
import { DuckDBVarCharVector } from "@duckdb/node-api";
import {
  type BinMatrix,
  compactRows,
  createBinMatrices,
  type FeatureMap,
  type MatrixRoom,
  sharedInts,
} from "./bin-matrix.ts";
import { columnSink, sliceColumn } from "./column-sink.ts";
import { ASSIGNMENTS } from "./curriculum.ts";
import { type Duck, eachChunk } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import type { Extraction } from "./extraction.ts";
import type { Ingest } from "./ingests.ts";
import { quoteIdentifier, readParquet } from "./sql.ts";
import type { BinData, CurriculumBin, FileEntry, ObsColumn } from "./types.ts";
import { viewBigInts, viewInts } from "./vectors.ts";

/** Cells of one ingest that a group needs: `slots[cell id − first]` is the row in the group + 1, 0 for cells not wanted. */
export interface IngestPart {
  dir: string;
  ingestId: string;
  cellIdStart: number;
  floats: boolean;
  /** Its cell files, in the order of their ids. */
  files: FileEntry[];
  map: FeatureMap;
  first: number;
  last: number;
  slots: Int32Array;
}

/** Where the rows of a group go: all that the threads need which deal them. Sent to a thread, it shares its memory. */
export interface Dealing {
  nCols: number;
  /** First group row of every bin, and the number of rows. */
  offsets: number[];
  matrices: BinMatrix[];
  parts: IngestPart[];
  /** [0] counts the pages taken: every page is dealt by one thread. */
  turn: Int32Array;
}

/** A bin without its rows. */
export interface BinHead {
  bin: number;
  cellIds: Float64Array;
  obs: Record<string, ObsColumn>;
}

export interface BinGroup {
  heads: BinHead[];
  dealing: Dealing;
}

/** Reads the assignments of the group's bins: ids, obs, row sizes, and where each ingest's cells go. The matrices stand in `room`. */
export async function openGroup(
  duck: Duck,
  { curriculumDir, manifest, ingests, nCols }: Extraction,
  bins: CurriculumBin[],
  { room, signal }: { room?: MatrixRoom | undefined; signal?: AbortSignal | undefined } = {},
): Promise<BinGroup> {
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
  await eachChunk(signal, result, (chunk) => {
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
  const known = new Set(ingests.map(({ ingest }) => ingest.manifest.ingestId));
  // Cells of an ingest that the manifest does not name would stay without their counts.
  if (row !== total || [...cellsOf.keys()].some((id) => !known.has(id))) throw badAssignments(curriculumDir);
  const spans = bins.map((_, i) => [offsets[i]!, offsets[i + 1]!] as const);
  const matrices = createBinMatrices(
    spans.map(([from, to]) => nnz.subarray(from, to)),
    room,
  );
  if (matrices === undefined) throw badAssignments(curriculumDir);
  const obs = manifest.obsColumns.map((c, i) => [c.name, sinks[i]!.finish()] as const);
  return {
    heads: bins.map(({ bin }, i) => {
      const [from, to] = spans[i]!;
      const columns = obs.map(([name, column]) => [name, sliceColumn(column, from, to)] as const);
      return { bin, cellIds: cellIds.slice(from, to), obs: Object.fromEntries(columns) };
    }),
    dealing: {
      nCols,
      offsets,
      matrices,
      parts: ingests.flatMap(({ ingest, map }) =>
        ingestPart(ingest, map, cellsOf.get(ingest.manifest.ingestId)),
      ),
      turn: sharedInts(1),
    },
  };
}

const badAssignments = (dir: string): OmicsStoreError =>
  new OmicsStoreError(
    "corrupt",
    `${join(dir, ASSIGNMENTS)} contradicts its manifest; prepare the curriculum again`,
  );

function ingestPart(
  { dir, manifest }: Ingest,
  map: FeatureMap,
  cells: { id: number; row: number }[] | undefined,
): IngestPart[] {
  if (cells === undefined) return [];
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const { id } of cells) {
    first = Math.min(first, id);
    last = Math.max(last, id);
  }
  const { cellIdStart, cells: count, ingestId, countsType } = manifest;
  if (first < cellIdStart || last >= cellIdStart + count)
    throw new OmicsStoreError(
      "corrupt",
      `cells ${first}..${last} are assigned to ingest ${ingestId}, which has not all of them`,
    );
  const slots = sharedInts(last - first + 1);
  for (const { id, row } of cells) slots[id - first] = row + 1;
  const files = manifest.files.filter(({ name }) => name.startsWith("cells-"));
  const floats = countsType === "float32";
  return [{ dir, ingestId, cellIdStart, floats, files, map, first, last, slots }];
}

/** A bin whose rows are dealt. Its matrix shares the group's memory. Throws `corrupt` when a cell was in no file. */
export function finishBin(head: BinHead, matrix: BinMatrix, nCols: number): BinData {
  const missing = matrix.lengths.indexOf(-1);
  if (missing >= 0)
    throw new OmicsStoreError(
      "corrupt",
      `bin ${head.bin}: cell ${head.cellIds[missing]} is not in the files of its ingest; fetch it again`,
    );
  return { ...head, index: Array.from(head.cellIds, String), rows: compactRows(matrix, nCols) };
}
