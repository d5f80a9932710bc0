import { join } from "node:path";
import { createScratch, type FeatureMap, placeUnordered, type RowScratch, rowStart } from "./bin-matrix.ts";
import { throwIfAborted } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import type { Dealing, IngestPart } from "./extract-group.ts";
import { type DecodedPage, openMatrixFile } from "./parquet/matrix-file.ts";
import { createMatrixMemory, type MatrixMemory } from "./parquet/matrix-memory.ts";

/** Answers of the map kernels that are no lengths. */
const BAD_ID = -1;
const OUT_OF_ORDER = -2;

export interface DealOptions {
  signal?: AbortSignal | undefined;
  /** Cells that were dealt since the last call. */
  onCells?: ((cells: number) => void) | undefined;
}

/** A memory of this thread that nobody uses. */
let spare: MatrixMemory | undefined;

/**
 * Decodes pages that hold wanted cells and scatters those into the group's matrices. Any number of threads may do so at once with the
 * same dealing, each takes the next page that no other has.
 */
export async function dealRows(dealing: Dealing, options: DealOptions = {}): Promise<void> {
  const memory = spare ?? createMatrixMemory();
  spare = undefined;
  try {
    await dealInto(dealing, memory, options);
  } finally {
    spare = memory;
  }
}

async function dealInto(
  dealing: Dealing,
  memory: MatrixMemory,
  { signal, onCells }: DealOptions,
): Promise<void> {
  const scratch = createScratch(dealing.nCols);
  const rowBin = new Int32Array(dealing.offsets.at(-1)!);
  dealing.matrices.forEach((_, i) => {
    rowBin.fill(i, dealing.offsets[i]!, dealing.offsets[i + 1]!);
  });
  let seen = 0;
  let mine = Atomics.add(dealing.turn, 0, 1);
  for (const part of dealing.parts) {
    const { first, slots, map, floats } = part;
    const keep = map.columns.length * 4;
    const [mapAt] = memory.layout(keep) as [number];
    memory.ints(mapAt, map.columns.length).set(map.columns);
    for (const { path, firstId, rows } of partFiles(part)) {
      const file = openMatrixFile(path, { rows, countsType: floats ? "float32" : "int32" }, memory, keep);
      try {
        for (const page of file.pages) {
          const from = firstId + page.firstRow - first;
          if (!anyWanted(slots, from, page.rows) || seen++ !== mine) continue;
          throwIfAborted(signal);
          const slotOf = (row: number) => slots[from + row] ?? 0;
          const target = { dealing, rowBin, memory, scratch, slotOf, map, mapAt, floats };
          onCells?.(placePage(file.decode(page), target));
          mine = Atomics.add(dealing.turn, 0, 1);
          // A page is a few milliseconds of work; let messages in between.
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        file.close();
      }
    }
  }
}

function anyWanted(slots: Int32Array, from: number, rows: number): boolean {
  const end = Math.min(slots.length, from + rows);
  for (let i = Math.max(0, from); i < end; i++) if (slots[i]! > 0) return true;
  return false;
}

interface Target {
  dealing: Dealing;
  /** Bin of every row of the group. */
  rowBin: Int32Array;
  memory: MatrixMemory;
  scratch: RowScratch;
  /** Row of the group + 1, 0 for cells not wanted. */
  slotOf(row: number): number;
  map: FeatureMap;
  mapAt: number;
  floats: boolean;
}

function placePage(page: DecodedPage, target: Target): number {
  const { dealing, rowBin, memory, scratch, slotOf, map, mapAt, floats } = target;
  const { kernels } = memory;
  const features = map.columns.length;
  let cells = 0;
  for (let row = 0; row < page.rows; row++) {
    const slot = slotOf(row) - 1;
    if (slot < 0) continue;
    const bin = rowBin[slot]!;
    const matrix = dealing.matrices[bin]!;
    const p = slot - dealing.offsets[bin]!;
    const from = page.offsets[row]!;
    const length = page.offsets[row + 1]! - from;
    const base = rowStart(matrix, p, length);
    // Shared memory is copied by words where both sides begin alike, otherwise by bytes.
    const odd = (base & 1) << 2;
    const [columnsAt, dataAt] = [page.scratch[0] + odd, page.scratch[1] + odd];
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
function partFiles(part: IngestPart): { path: string; firstId: number; rows: number }[] {
  const files: { path: string; firstId: number; rows: number }[] = [];
  let firstId = part.cellIdStart;
  for (const { name, rows } of part.files) {
    if (anyWanted(part.slots, firstId - part.first, rows))
      files.push({ path: join(part.dir, name), firstId, rows });
    firstId += rows;
  }
  return files;
}
