import { elementCount } from "../blocks.ts";
import { chunkInput, decodeInput, mostStoredBytes } from "../codecs/decode-chunk.ts";
import { Hdf5Error } from "../errors.ts";
import type { ChunkCache } from "./chunk-cache.ts";
import { chunkOffset, firstFrom } from "./chunk-table.ts";
import { chunkTable, type StoredDataset } from "./dataset.ts";
import type { FileBytes } from "./file-bytes.ts";

/** Pieces in which rows of a contiguous dataset are read when only some of their columns are wanted. */
const stripBytes = 1024 * 1024;
/** Chunks may be this much larger than the data they hold before they are taken for an attack. */
const maxPadding = 16;
const freePaddingBytes = 256 * 1024 * 1024;

/** A box of elements: `start` to `end` along each axis. */
export interface Box {
  start: number[];
  end: number[];
}

/**
 * Elements of a box, row-major, as they stand in the file. Only the chunks that touch the box are read and decoded.
 *
 * @param out as many bytes as the box has; whatever they hold before
 * @throws Hdf5Error
 */
export function readBox(
  file: FileBytes,
  stored: StoredDataset,
  box: Box,
  cache: ChunkCache,
  out: Uint8Array<ArrayBuffer>,
): void {
  const { layout } = stored;
  if (out.length === 0) return;
  switch (layout.kind) {
    case "compact":
      copyPlain(stored, box, out, layout.data.length, (into, at) =>
        into.set(layout.data.subarray(at, at + into.length)),
      );
      return;
    case "contiguous": {
      const { address, bytes } = layout;
      if (address === undefined) fillAll(stored, out);
      else
        copyPlain(stored, box, out, bytes, (into, at) => file.readInto(into, address + at, stored.info.path));
      return;
    }
    case "chunked":
      readChunks(file, stored, box, out, cache);
      return;
    case "virtual":
      throw new TypeError("virtual");
  }
}

function fillAll(stored: StoredDataset, out: Uint8Array<ArrayBuffer>): void {
  const fillValue = stored.info.fillValue ?? [0];
  if (fillValue.every((byte) => byte === fillValue[0])) {
    out.fill(fillValue[0]!);
    return;
  }
  out.set(fillValue);
  for (let done = fillValue.length; done < out.length; done *= 2)
    out.copyWithin(done, 0, Math.min(done, out.length - done));
}

/** Data in one piece. Whole rows are one range; otherwise rows are read in strips and cut. */
function copyPlain(
  stored: StoredDataset,
  box: Box,
  out: Uint8Array,
  available: number | undefined,
  read: (into: Uint8Array, at: number) => void,
): void {
  const { type, info } = stored;
  const shape = info.shape!;
  const needed = elementCount(shape) * type.size;
  if (available !== undefined && available < needed) {
    throw new Hdf5Error("corrupt", `${info.path}: ${available} bytes are stored, its shape needs ${needed}`);
  }
  const inner = elementCount(shape.slice(2)) * type.size;
  const columns = shape[1] ?? 1;
  const rowBytes = columns * inner;
  const [firstRow = 0, firstColumn = 0] = box.start;
  const [endRow = 1, endColumn = 1] = box.end;
  if (firstColumn === 0 && endColumn === columns) {
    read(out, firstRow * rowBytes);
    return;
  }
  const width = (endColumn - firstColumn) * inner;
  const stripRows = Math.floor(stripBytes / rowBytes);
  if (stripRows < 1) {
    for (let row = firstRow, to = 0; row < endRow; row++, to += width) {
      read(out.subarray(to, to + width), row * rowBytes + firstColumn * inner);
    }
    return;
  }
  const strip = new Uint8Array(Math.min(stripRows, endRow - firstRow) * rowBytes);
  let to = 0;
  for (let row = firstRow; row < endRow; row += stripRows) {
    const rows = Math.min(stripRows, endRow - row);
    read(strip.subarray(0, rows * rowBytes), row * rowBytes);
    for (let i = 0; i < rows; i++, to += width) {
      const from = i * rowBytes + firstColumn * inner;
      out.set(strip.subarray(from, from + width), to);
    }
  }
}

function readChunks(
  file: FileBytes,
  stored: StoredDataset,
  box: Box,
  out: Uint8Array<ArrayBuffer>,
  cache: ChunkCache,
): void {
  const grid = stored.grid!;
  const { info, type } = stored;
  checkPadding(stored);
  const table = chunkTable(file, stored);
  const perRow = grid.strides[0]!;
  const chunkRows = grid.chunks[0]!;
  const from = firstFrom(table, Math.floor(box.start[0]! / chunkRows) * perRow);
  const to = firstFrom(table, Math.ceil(box.end[0]! / chunkRows) * perRow);
  const chunkBytes = elementCount(grid.chunks) * type.size;
  const chunksInBox = box.start.reduce(
    (product, start, axis) =>
      product * (Math.ceil(box.end[axis]! / grid.chunks[axis]!) - Math.floor(start / grid.chunks[axis]!)),
    1,
  );
  const touching: { entry: number; offset: number[] }[] = [];
  for (let entry = from; entry < to; entry++) {
    const offset = chunkOffset(grid, table.numbers[entry]!);
    const inside = offset.every(
      (at, axis) => at < box.end[axis]! && at + grid.chunks[axis]! > box.start[axis]!,
    );
    if (inside) touching.push({ entry, offset });
  }
  if (touching.length < chunksInBox) fillAll(stored, out);
  const coding = { filters: info.filters, elementBytes: type.size, chunkBytes };
  const inOneRun = grid.chunks.every(
    (size, axis) => axis === 0 || (size === info.shape![axis] && size === box.end[axis]! - box.start[axis]!),
  );
  for (const { entry, offset } of touching) {
    const where = `${info.path}, chunk at [${offset}]`;
    const bytes = table.bytes[entry]!;
    const address = table.addresses[entry]!;
    if (inOneRun && isPlain(info.filters.length, table.masks[entry]!) && bytes === chunkBytes) {
      // Nothing to undo: only the wanted rows, straight to where they belong.
      const rowBytes = chunkBytes / chunkRows;
      const low = Math.max(offset[0]!, box.start[0]!);
      const high = Math.min(offset[0]! + chunkRows, box.end[0]!);
      const into = out.subarray((low - box.start[0]!) * rowBytes, (high - box.start[0]!) * rowBytes);
      file.readInto(into, address + (low - offset[0]!) * rowBytes, where);
      continue;
    }
    const number = table.numbers[entry]!;
    let chunk = cache.get(stored, number);
    if (chunk === undefined) {
      if (bytes > mostStoredBytes(chunkBytes)) {
        throw new Hdf5Error("corrupt", `${where}: ${bytes} bytes are stored for ${chunkBytes} bytes of data`);
      }
      file.readInto(chunkInput(bytes, coding), address, where);
      chunk = decodeInput(bytes, coding, table.masks[entry]!, where);
      // A chunk that is used up will hardly be asked for again; the ones at the ends of a range will.
      const whole = offset.every(
        (at, axis) =>
          at >= box.start[axis]! && Math.min(at + grid.chunks[axis]!, info.shape![axis]!) <= box.end[axis]!,
      );
      if (!whole) {
        chunk = chunk.slice();
        cache.set(stored, number, chunk);
      }
    }
    copyChunk(chunk, offset, grid.chunks, box, type.size, out);
  }
}

/** Stored without any filter: there is none, or the chunk left all of them out. */
function isPlain(filters: number, mask: number): boolean {
  const all = 2 ** filters - 1;
  return filters === 0 || (mask & all) >>> 0 === all;
}

/** Chunks that are mostly padding would make a small dataset cost much. @throws Hdf5Error "too-large" */
export function checkPadding(stored: StoredDataset): void {
  const { counts, chunks } = stored.grid!;
  const size = stored.type.size;
  const padded = counts.reduce((product, count, axis) => product * count * chunks[axis]!, size);
  const declared = elementCount(stored.info.shape) * size;
  if (padded > Math.max(freePaddingBytes, maxPadding * declared)) {
    throw new Hdf5Error(
      "too-large",
      `${stored.info.path}: chunks of shape [${chunks}] need ${padded} bytes for ${declared} bytes of data`,
    );
  }
}

/** Copies what a chunk and the box have in common, run by run along the last axes that are whole in both. */
function copyChunk(
  chunk: Uint8Array,
  offset: readonly number[],
  chunkShape: readonly number[],
  box: Box,
  size: number,
  out: Uint8Array,
): void {
  const rank = chunkShape.length;
  const low = offset.map((at, axis) => Math.max(at, box.start[axis]!));
  const high = offset.map((at, axis) => Math.min(at + chunkShape[axis]!, box.end[axis]!));
  const outShape = box.end.map((end, axis) => end - box.start[axis]!);
  // Axes from `split` on form one run in both chunk and box.
  let split = rank - 1;
  let run = (high[split]! - low[split]!) * size;
  while (
    split > 0 &&
    high[split]! - low[split]! === chunkShape[split]! &&
    outShape[split] === chunkShape[split]
  ) {
    split--;
    run *= high[split]! - low[split]!;
  }
  const chunkStrides = byteStrides(chunkShape, size);
  const outStrides = byteStrides(outShape, size);
  const at = low.slice();
  for (;;) {
    let from = 0;
    let to = 0;
    for (let axis = 0; axis < rank; axis++) {
      from += (at[axis]! - offset[axis]!) * chunkStrides[axis]!;
      to += (at[axis]! - box.start[axis]!) * outStrides[axis]!;
    }
    copyRun(chunk, from, out, to, run);
    let axis = split - 1;
    for (; axis >= 0; axis--) {
      if (++at[axis]! < high[axis]!) break;
      at[axis] = low[axis]!;
    }
    if (axis < 0) return;
  }
}

function copyRun(chunk: Uint8Array, from: number, out: Uint8Array, to: number, count: number): void {
  // A view costs more than a few bytes.
  if (count > 64) out.set(chunk.subarray(from, from + count), to);
  else for (let k = 0; k < count; k++) out[to + k] = chunk[from + k]!;
}

function byteStrides(shape: readonly number[], size: number): number[] {
  const strides = shape.map(() => size);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}
