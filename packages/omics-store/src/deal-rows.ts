import { join } from "node:path";
import { type FeatureMap, placeUnordered, rowStart } from "./bin-matrix.ts";
import { throwIfAborted } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { type ExtractContext, eachChunk, type Group, type IngestPart } from "./extract-group.ts";
import type { Ingest } from "./ingests.ts";
import { type DecodedPage, openMatrixFile } from "./parquet/matrix-file.ts";
import { readParquet } from "./sql.ts";
import { viewInts } from "./vectors.ts";

/** Answers of the map kernels that are no lengths. */
const BAD_ID = -1;
const OUT_OF_ORDER = -2;

/** Decodes the pages of one ingest that hold wanted cells and scatters those into the group's matrices. */
export async function dealRows(
  context: ExtractContext,
  group: Group,
  part: IngestPart,
  onCells: (cells: number) => void,
): Promise<void> {
  const { ingest, first, slots } = part;
  const { memory } = context;
  const map = await featureMap(context, ingest);
  const keep = map.columns.length * 4;
  const [mapAt] = memory.layout(keep) as [number];
  memory.ints(mapAt, map.columns.length).set(map.columns);
  const rowBin = new Int32Array(group.cellIds.length);
  for (let i = 0; i < group.bins.length; i++) rowBin.fill(i, group.offsets[i]!, group.offsets[i + 1]!);
  let dealt = 0;
  for (const { path, firstId, rows } of partFiles(part)) {
    const file = openMatrixFile(path, { rows, countsType: ingest.manifest.countsType }, memory, keep);
    try {
      for (const page of file.pages) {
        const from = firstId + page.firstRow - first;
        if (!slots.subarray(Math.max(0, from), Math.max(0, from + page.rows)).some((slot) => slot > 0))
          continue;
        throwIfAborted(context.signal);
        const cells = placePage(context, group, rowBin, file.decode(page), {
          slotOf: (row) => slots[from + row] ?? 0,
          map,
          mapAt,
          floats: ingest.manifest.countsType === "float32",
        });
        dealt += cells;
        onCells(cells);
        // A page is a few milliseconds of work; let messages in between.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      file.close();
    }
  }
  if (dealt !== part.cells)
    throw new OmicsStoreError(
      "corrupt",
      `ingest ${ingest.manifest.ingestId}: ${part.cells} cells were expected in its files, found ${dealt}; fetch it again`,
    );
}

interface Target {
  /** Row of the group + 1, 0 for cells not wanted. */
  slotOf(row: number): number;
  map: FeatureMap;
  mapAt: number;
  floats: boolean;
}

function placePage(
  context: ExtractContext,
  group: Group,
  rowBin: Int32Array,
  page: DecodedPage,
  { slotOf, map, mapAt, floats }: Target,
): number {
  const { memory, scratch } = context;
  const { kernels } = memory;
  const [columnsAt, dataAt] = page.scratch;
  const features = map.columns.length;
  let cells = 0;
  for (let row = 0; row < page.rows; row++) {
    const slot = slotOf(row) - 1;
    if (slot < 0) continue;
    const bin = rowBin[slot]!;
    const matrix = group.matrices[bin]!;
    const p = slot - group.offsets[bin]!;
    const from = page.offsets[row]!;
    const length = page.offsets[row + 1]! - from;
    const base = rowStart(matrix, p, length);
    const [ids, counts] = [page.ids + from * 4, page.counts + from * 4];
    const flag = floats ? 1 : 0;
    const written = map.same
      ? kernels.mapSame(ids, counts, length, flag, map.start, features, columnsAt, dataAt)
      : kernels.mapRow(ids, counts, length, flag, map.start, mapAt, features, columnsAt, dataAt);
    if (written === BAD_ID)
      throw new OmicsStoreError(
        "corrupt",
        `a feature id is outside its ingest (${map.start} + ${features}); fetch the ingest again`,
      );
    if (written === OUT_OF_ORDER) {
      const list = {
        ids: memory.ints(ids, length),
        counts: floats ? memory.floats(counts, length) : memory.ints(counts, length),
      };
      placeUnordered(matrix, p, list, map, scratch);
    } else {
      matrix.indices.set(memory.ints(columnsAt, written), base);
      matrix.data.set(memory.floats(dataAt, written), base);
      matrix.lengths[p] = written;
    }
    cells++;
  }
  return cells;
}

/** Cell files are in id order, so the manifest's row counts say which of them hold first..last. */
function partFiles({
  ingest,
  first,
  last,
  slots,
}: IngestPart): { path: string; firstId: number; rows: number }[] {
  const { manifest, dir } = ingest;
  const files: { path: string; firstId: number; rows: number }[] = [];
  let from = manifest.cellIdStart;
  for (const file of manifest.files) {
    if (!file.name.startsWith("cells-")) continue;
    const to = from + file.rows;
    if (
      from <= last &&
      to > first &&
      slots.subarray(Math.max(0, from - first), to - first).some((s) => s > 0)
    )
      files.push({ path: join(dir, file.name), firstId: from, rows: file.rows });
    from = to;
  }
  return files;
}

async function featureMap(context: ExtractContext, ingest: Ingest): Promise<FeatureMap> {
  const { manifest, dir } = ingest;
  const known = context.maps.get(manifest.ingestId);
  if (known) return known;
  const columns = new Int32Array(manifest.features).fill(-1);
  const result = await context.duck.stream(
    `SELECT var_position, feature FROM ${readParquet([join(dir, "features.parquet")])}`,
  );
  await eachChunk(context.signal, result, (chunk) => {
    const position = viewInts(chunk, 0);
    const feature = chunk.getColumnVector(1);
    for (let i = 0; i < chunk.rowCount; i++)
      columns[position[i]!] = context.columnOf.get(String(feature.getItem(i))) ?? -1;
  });
  const map = { start: manifest.featureIdStart, columns, same: columns.every((column, i) => column === i) };
  context.maps.set(manifest.ingestId, map);
  return map;
}
