import { elementCount, rowElements } from "../blocks.ts";
import { Hdf5Error } from "../errors.ts";
import type { DatasetInfo, H5Reader, H5Storage } from "../types.ts";
import { fillWith } from "./fill.ts";
import { type ReadJob, swapBytes } from "./read-job.ts";

/** Contiguous storage is read in pieces of this. */
const pieceBytes = 1024 * 1024;

/** The job that fills `target`; undefined when that is done already. */
export function describeJob(
  reader: H5Reader,
  info: DatasetInfo,
  storage: H5Storage,
  start: number,
  end: number,
  target: Uint8Array<SharedArrayBuffer>,
  swap: boolean,
  fd: number,
): ReadJob | undefined {
  const rowBytes = rowElements(info.shape!) * info.elementBytes;
  const common = {
    fd,
    sizeBytes: reader.sizeBytes,
    where: `${reader.path}: ${info.path}`,
    start,
    end,
    swap,
    target,
    progress: new Int32Array(new SharedArrayBuffer(8)),
  };
  switch (storage.kind) {
    case "none":
      fill(target, info, swap);
      return undefined;
    case "compact":
      if (end * rowBytes > storage.data.length) {
        throw tooShort(common.where, storage.data.length, end, end * rowBytes);
      }
      target.set(storage.data.subarray(start * rowBytes, end * rowBytes));
      if (swap) swapBytes(target, info.elementBytes);
      return undefined;
    case "contiguous":
      return contiguousJob(common, info, storage, rowBytes);
    case "chunked": {
      const chunks = storage.chunks(start, end);
      const chunkShape = info.chunks!;
      const expected = info.shape!.reduce((product, dim, axis) => {
        const from = axis === 0 ? Math.floor(start / chunkShape[0]!) : 0;
        return product * (Math.ceil((axis === 0 ? end : dim) / chunkShape[axis]!) - from);
      }, 1);
      // Buffers are used again: what no chunk covers would keep the values of another batch.
      if (chunks.length < expected) fill(target, info, swap);
      const width = 3 + info.shape!.length;
      const table = new Float64Array(new SharedArrayBuffer(chunks.length * width * 8));
      chunks.forEach(({ address, bytes, filterMask, offset }, i) => {
        table.set([address, bytes, filterMask, ...offset], i * width);
      });
      const chunkBytes = elementCount(chunkShape) * info.elementBytes;
      const coding = { filters: info.filters, elementBytes: info.elementBytes, chunkBytes };
      return { ...common, contiguous: false, coding, shape: info.shape!, chunkShape, table };
    }
  }
}

type Common = Omit<ReadJob, "coding" | "contiguous" | "shape" | "chunkShape" | "table">;

/** Contiguous rows as a dataset of one axis, whose chunks are pieces of elements. */
function contiguousJob(
  common: Common,
  info: DatasetInfo,
  storage: Extract<H5Storage, { kind: "contiguous" }>,
  rowBytes: number,
): ReadJob {
  const size = info.elementBytes;
  const perRow = rowBytes / size;
  const [start, end] = [common.start * perRow, common.end * perRow];
  const piece = Math.min(Math.max(1, Math.floor(pieceBytes / size)), Math.max(1, end - start));
  if (end * size > storage.bytes) {
    throw tooShort(common.where, storage.bytes, common.end, end * size);
  }
  const count = Math.ceil((end - start) / piece);
  const table = new Float64Array(new SharedArrayBuffer(count * 4 * 8));
  for (let i = 0; i < count; i++) {
    const from = start + i * piece;
    table.set([storage.address + from * size, (Math.min(end, from + piece) - from) * size, 0, from], i * 4);
  }
  const coding = { filters: [], elementBytes: size, chunkBytes: piece * size };
  return { ...common, start, end, contiguous: true, coding, shape: [end], chunkShape: [piece], table };
}

function tooShort(where: string, stored: number, rows: number, needed: number): Hdf5Error {
  return new Hdf5Error("corrupt", `${where}: ${stored} bytes are stored, rows to ${rows} need ${needed}`);
}

function fill(target: Uint8Array, info: DatasetInfo, swap: boolean): void {
  const one = Uint8Array.from(info.fillValue ?? []);
  if (swap) swapBytes(one, one.length);
  fillWith(target, one.length === info.elementBytes ? one : undefined);
}
