import { readSync } from "node:fs";
import { type ChunkCoding, chunkInput, decodeInput, mostStoredBytes } from "../codecs/decode-chunk.ts";
import { fromSystemError, Hdf5Error } from "../errors.ts";

/** Rows of one dataset to be brought into memory that threads share. Several threads may run the same job; each takes what is left. */
export interface ReadJob {
  /** Open for reading; file descriptors belong to the whole process. */
  fd: number;
  /** Size of the file: nothing is read beyond. */
  sizeBytes: number;
  /** File and dataset, for errors. */
  where: string;
  coding: ChunkCoding;
  /** Chunks are pieces of contiguous storage: of any size, and their first elements are counted from row 0 on. */
  contiguous: boolean;
  shape: readonly number[];
  chunkShape: readonly number[];
  start: number;
  end: number;
  /** Whether the numbers stand in the other byte order. */
  swap: boolean;
  /** Per chunk: address, stored bytes, filter mask, then its first element along every axis. */
  table: Float64Array<SharedArrayBuffer>;
  /** [0] the next chunk to take, [1] 1 when nobody wants the rest. */
  progress: Int32Array<SharedArrayBuffer>;
  /** Rows `start` to `end`. */
  target: Uint8Array;
}

/** Chunks that a thread takes at a time. */
const chunksPerTurn = 4;

/** @throws Hdf5Error; the other threads then stop too */
export function runReadJob(job: ReadJob): void {
  const width = 3 + job.shape.length;
  const count = job.table.length / width;
  try {
    for (;;) {
      const first = Atomics.add(job.progress, 0, chunksPerTurn);
      if (first >= count) return;
      for (let i = first; i < Math.min(count, first + chunksPerTurn); i++) {
        if (Atomics.load(job.progress, 1) !== 0) return;
        const [address, bytes, mask, ...offset] = job.table.subarray(i * width, (i + 1) * width);
        readChunk(job, address!, bytes!, mask!, offset);
      }
    }
  } catch (error) {
    Atomics.store(job.progress, 1, 1);
    throw error;
  }
}

function readChunk(
  job: ReadJob,
  address: number,
  bytes: number,
  mask: number,
  offset: readonly number[],
): void {
  const { coding, start, end, chunkShape, target } = job;
  const where = `${job.where}, chunk at [${offset}]`;
  const most = mostStoredBytes(coding.chunkBytes);
  if (!(address >= 0 && address + bytes <= job.sizeBytes && bytes <= most)) {
    throw new Hdf5Error("corrupt", `${where}: ${bytes} bytes at ${address} of a file of ${job.sizeBytes}`);
  }
  if (job.contiguous) {
    const at = (offset[0]! - start) * coding.elementBytes;
    readPlain(job, target.subarray(at, at + bytes), address, where);
    return;
  }
  const rowBytes = coding.chunkBytes / chunkShape[0]!;
  const whole = job.shape.every((dim, axis) => axis === 0 || dim === chunkShape[axis]);
  const inside = offset[0]! >= start && offset[0]! + chunkShape[0]! <= end;
  if (whole && inside && bytes === coding.chunkBytes && isPlain(coding, mask)) {
    const at = (offset[0]! - start) * rowBytes;
    readPlain(job, target.subarray(at, at + bytes), address, where);
    return;
  }
  const input = chunkInput(bytes, coding);
  readFully(job.fd, input, address, where);
  const chunk = decodeInput(bytes, coding, mask, where);
  if (job.swap) swapBytes(chunk, coding.elementBytes);
  copyChunk(job, chunk, offset);
}

function readPlain(job: ReadJob, place: Uint8Array, address: number, where: string): void {
  readFully(job.fd, place, address, where);
  if (job.swap) swapBytes(place, job.coding.elementBytes);
}

function isPlain(coding: ChunkCoding, mask: number): boolean {
  return coding.filters.every((_, k) => (mask & (1 << k)) !== 0);
}

function readFully(fd: number, into: Uint8Array, position: number, where: string): void {
  try {
    for (let done = 0; done < into.length; ) {
      const count = readSync(fd, into, done, into.length - done, position + done);
      if (count === 0) throw new Hdf5Error("corrupt", `${where}: the file ends inside`);
      done += count;
    }
  } catch (error) {
    throw error instanceof Hdf5Error ? error : fromSystemError(error, where, "read");
  }
}

/** The part of a chunk that lies in the dataset and in the rows asked for. */
function copyChunk(job: ReadJob, chunk: Uint8Array, offset: readonly number[]): void {
  const { shape, chunkShape, start, end, target } = job;
  const size = job.coding.elementBytes;
  const rank = shape.length;
  const from = offset.map((at, axis) => (axis === 0 ? Math.max(0, start - at) : 0));
  const to = offset.map((at, axis) => Math.min(chunkShape[axis]!, (axis === 0 ? end : shape[axis]!) - at));
  if (to.some((stop, axis) => stop <= from[axis]!)) return;
  // Axes from `inner` on are whole in both: they are copied in one go.
  let inner = rank - 1;
  while (inner > 0 && chunkShape[inner] === shape[inner]) inner--;
  const innerElements = chunkShape.slice(inner + 1).reduce((product, dim) => product * dim, 1);
  const run = (to[inner]! - from[inner]!) * innerElements * size;
  const position = from.slice(0, inner);
  for (;;) {
    let source = 0;
    let place = 0;
    for (let axis = 0; axis < rank; axis++) {
      const at = axis < inner ? position[axis]! : axis === inner ? from[inner]! : 0;
      source = source * chunkShape[axis]! + at;
      place = place * shape[axis]! + at + offset[axis]! - (axis === 0 ? start : 0);
    }
    target.set(chunk.subarray(source * size, source * size + run), place * size);
    let axis = inner - 1;
    while (axis >= 0 && ++position[axis]! === to[axis]) {
      position[axis] = from[axis]!;
      axis--;
    }
    if (axis < 0) return;
  }
}

/** Numbers of 2, 4 or 8 bytes in place. */
export function swapBytes(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) buffer.swap16();
  else if (size === 4) buffer.swap32();
  else if (size === 8) buffer.swap64();
}
