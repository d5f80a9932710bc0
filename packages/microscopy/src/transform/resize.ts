import { MicroscopyError } from "../errors.ts";
import { padded, reach } from "../kernels/instantiate.ts";
import { resizeKernels } from "../kernels/resize-kernels.ts";
import { bytesOf, type PixelArray, pixelsInto, sampleBytes } from "../pixels.ts";
import type { Plane } from "../types.ts";

/** Length of a side after resizing: OpenCV rounds half to even. */
export function resizedSide(side: number, factor: number): number {
  const product = side * factor;
  const floor = Math.floor(product);
  const rest = product - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/**
 * A plane resized by a factor, bilinearly, as `cv2.resize(image, None, fx=factor, fy=factor)` does it without IPP: step 1/factor, weights
 * and sums in float32, rounded half to even (uint16); 11-bit fixed point (uint8); float32 unrounded. Bit for bit, except that
 * halves of float32 may differ in the last bit.
 *
 * @param into takes the result; must be of the plane's pixel type and the result's length. A new array costs as much as the resizing
 * where planes are big: the system has to find the memory.
 * @throws MicroscopyError `invalid-argument`, `unsupported` for other pixel types.
 */
export function resizeBilinear(plane: Plane, factor: number, into?: PixelArray): Plane {
  const { samples, pixelType } = plane;
  if (pixelType !== "uint8" && pixelType !== "uint16" && pixelType !== "float32")
    throw new MicroscopyError("unsupported", `Resizing is for uint8, uint16 and float32, found ${pixelType}`);
  const [width, height] = sidesOf(plane, factor);
  const data = pixelsInto(into, pixelType, width * height * samples);
  // OpenCV takes means of 2 × 2 pixels there, whatever was asked for.
  if (factor === 0.5) return halve(plane, width, height, data);
  const fixed = pixelType === "uint8";
  const columns = columnsOf(plane.width, width, samples, factor, fixed);
  const rows = rowsOf(plane.height, height, factor, fixed);
  const kernels = resizeKernels();
  const job = new Uint32Array(14);
  const { groups = new Uint32Array(0), shuffles = new Uint8Array(0) } = columns;
  const arena = place(
    plane,
    [columns.at, columns.a0, columns.a1, rows, job, groups, shuffles],
    width * samples,
  );
  const [at, a0, a1, rowsAt, jobAt, groupsAt, shufflesAt] = arena.tables as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const size = sampleBytes(pixelType);
  const none = 0xffff_ffff;
  job.set([arena.source, plane.width * samples * size, width * samples, columns.inside, samples]);
  job.set([at, a0, a1, arena.held, arena.heldStride, none, none], 5);
  if (columns.groups !== undefined && size === 2) job.set([groupsAt, shufflesAt], 12);
  new Uint32Array(kernels.memory.buffer).set(job, jobAt / 4);
  byBands(arena, data, width * samples, height, (y, count) =>
    kernels.bilinearRows(size, jobAt, arena.band, rowsAt + 16 * y, count),
  );
  return { width, height, samples, pixelType, data };
}

/**
 * A label image resized by a factor: the value at floor(d / factor), as `cv2.INTER_NEAREST` (no half-pixel centre). Any pixel type.
 *
 * @param into as in `resizeBilinear`
 * @throws MicroscopyError `invalid-argument`.
 */
export function resizeNearest(plane: Plane, factor: number, into?: PixelArray): Plane {
  const { samples, pixelType } = plane;
  const [width, height] = sidesOf(plane, factor);
  const data = pixelsInto(into, pixelType, width * height * samples);
  const step = 1 / factor;
  const columns = new Uint32Array(width * samples);
  for (let x = 0, i = 0; x < width; x++) {
    const from = Math.min(Math.floor(x * step), plane.width - 1) * samples;
    for (let s = 0; s < samples; s++) columns[i++] = from + s;
  }
  const rows = new Uint32Array(height);
  for (let y = 0; y < height; y++) rows[y] = Math.min(Math.floor(y * step), plane.height - 1);
  const kernels = resizeKernels();
  const arena = place(plane, [columns, rows], width * samples);
  const [at, rowsAt] = arena.tables as [number, number];
  const size = sampleBytes(pixelType);
  byBands(arena, data, width * samples, height, (y, count) =>
    kernels.nearestRows(
      size,
      arena.source,
      plane.width * samples * size,
      arena.band,
      rowsAt + 4 * y,
      count,
      width * samples,
      at,
    ),
  );
  return { width, height, samples, pixelType, data };
}

/** Where things lie in the memory of the kernels. */
interface Arena {
  readonly tables: readonly number[];
  readonly source: number;
  /** Two rows of float32 or int32. */
  readonly held: number;
  readonly heldStride: number;
  /** Output rows on their way. */
  readonly band: number;
  readonly bandRows: number;
}

/** Output is made in bands that stay in the processor's cache until they are copied out. */
const BAND_BYTES = 128 * 1024;

function place(plane: Plane, tables: readonly ArrayBufferView<ArrayBuffer>[], values: number): Arena {
  const kernels = resizeKernels();
  let end = kernels.heapBase();
  const take = (bytes: number) => {
    const at = end;
    end += padded(bytes);
    return at;
  };
  const places = tables.map((table) => take(table.byteLength));
  const source = take(plane.data.byteLength);
  const heldStride = padded(values * 4);
  const held = take(2 * heldStride);
  const rowBytes = values * sampleBytes(plane.pixelType);
  const bandRows = Math.max(1, Math.floor(BAND_BYTES / rowBytes));
  const band = take(bandRows * rowBytes);
  reach(kernels.memory, end);
  const memory = new Uint8Array(kernels.memory.buffer);
  for (const [i, table] of tables.entries()) memory.set(bytesOf(table), places[i]!);
  memory.set(bytesOf(plane.data), source);
  return { tables: places, source, held, heldStride, band, bandRows };
}

function byBands(
  { band, bandRows }: Arena,
  data: PixelArray,
  values: number,
  height: number,
  make: (y: number, count: number) => void,
): void {
  const memory = new Uint8Array(resizeKernels().memory.buffer);
  const result = bytesOf(data);
  const rowBytes = values * data.BYTES_PER_ELEMENT;
  for (let y = 0; y < height; y += bandRows) {
    const count = Math.min(bandRows, height - y);
    make(y, count);
    result.set(memory.subarray(band, band + count * rowBytes), y * rowBytes);
  }
}

/** Means of 2 × 2 pixels, of those that there are at the edges. */
function halve(plane: Plane, width: number, height: number, into: PixelArray): Plane {
  const { samples, pixelType } = plane;
  const data = into as Float32Array<ArrayBuffer>;
  const source = plane.data as Float32Array;
  const float = pixelType === "float32";
  const stride = plane.width * samples;
  for (let y = 0, to = 0; y < height; y++) {
    const top = 2 * y * stride;
    const tall = 2 * y + 1 < plane.height;
    for (let x = 0; x < width; x++) {
      const wide = 2 * x + 1 < plane.width;
      for (let s = 0; s < samples; s++, to++) {
        const at = top + 2 * x * samples + s;
        const a = source[at]!;
        const b = wide ? source[at + samples]! : 0;
        const c = tall ? source[at + stride]! : 0;
        const d = wide && tall ? source[at + stride + samples]! : 0;
        if (float)
          data[to] = Math.fround(Math.fround(a + b) + Math.fround(c + d)) / ((wide ? 2 : 1) * (tall ? 2 : 1));
        else if (wide && tall) data[to] = (a + b + c + d + 2) >> 2;
        else data[to] = resizedSide(a + b + c + d, 1 / ((wide ? 2 : 1) * (tall ? 2 : 1)));
      }
    }
  }
  return { width, height, samples, pixelType, data };
}

function sidesOf(plane: Plane, factor: number): [number, number] {
  const sides: [number, number] = [resizedSide(plane.width, factor), resizedSide(plane.height, factor)];
  if (!(factor > 0) || !Number.isFinite(factor) || sides[0] < 1 || sides[1] < 1)
    throw new MicroscopyError(
      "invalid-argument",
      `Expected a factor that leaves at least a pixel of ${plane.width} × ${plane.height}, found ${factor}`,
    );
  return sides;
}

/** Left neighbour and weight of the right one, in float32. */
function sourceOf(position: number, factor: number): { index: number; weight: number } {
  const coordinate = Math.fround((position + 0.5) * (1 / factor) - 0.5);
  const index = Math.floor(coordinate);
  return { index, weight: Math.fround(coordinate - index) };
}

/** Fields of a size come one after the other: the last table is kept. */
function keepLast<A extends readonly unknown[], T>(make: (...given: A) => T): (...given: A) => T {
  let last: { given: A; made: T } | undefined;
  return (...given) => {
    if (!last?.given.every((value, i) => value === given[i])) last = { given, made: make(...given) };
    return last.made;
  };
}

const columnsOf = keepLast(columnTable);
const rowsOf = keepLast(rowTable);

function columnTable(width: number, outWidth: number, samples: number, factor: number, fixed: boolean) {
  const values = outWidth * samples;
  const at = new Uint32Array(values);
  const a0 = fixed ? new Int32Array(values) : new Float32Array(values);
  const a1 = fixed ? new Int32Array(values) : new Float32Array(values);
  let inside = values;
  for (let x = 0; x < outWidth; x++) {
    let { index, weight } = sourceOf(x, factor);
    if (index < 0) [index, weight] = [0, 0];
    if (index >= width - 1) {
      [index, weight] = [width - 1, 0];
      inside = Math.min(inside, x * samples);
    }
    for (let s = 0; s < samples; s++) {
      at[x * samples + s] = index * samples + s;
      a0[x * samples + s] = fixed ? fixedWeight(Math.fround(1 - weight)) : Math.fround(1 - weight);
      a1[x * samples + s] = fixed ? fixedWeight(weight) : weight;
    }
  }
  return { at, a0, a1, inside, ...(samples === 1 && !fixed ? groupsOf(at) : {}) };
}

/** For every four of the left neighbours `at`, uint16: where 16 bytes with them and the right ones begin, and where in these they are. */
function groupsOf(at: Uint32Array) {
  const groups = new Uint32Array(at.length >> 2);
  const shuffles = new Uint8Array(groups.length * 16);
  for (let i = 0; i < groups.length * 4; i++) {
    const first = at[i & ~3]! * 2;
    const place = at[i]! * 2 - first;
    if (place > 12) return {};
    groups[i >> 2] = first;
    for (let byte = 0; byte < 4; byte++) shuffles[4 * i + byte] = place + byte;
  }
  return { groups, shuffles };
}

/** 11 bits, rounded half to even. */
function fixedWeight(weight: number): number {
  return resizedSide(weight, 2048);
}

/** Per output row: upper and lower row of the source and their weights. */
function rowTable(
  height: number,
  outHeight: number,
  factor: number,
  fixed: boolean,
): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array(4 * outHeight);
  const weights = fixed ? new Int32Array(table.buffer) : new Float32Array(table.buffer);
  for (let y = 0; y < outHeight; y++) {
    const { index, weight } = sourceOf(y, factor);
    // Beyond the edge a row is mixed with itself, as OpenCV does: that may round differently from the row alone.
    table[4 * y] = clamp(index, height - 1);
    table[4 * y + 1] = clamp(index + 1, height - 1);
    weights[4 * y + 2] = fixed ? fixedWeight(Math.fround(1 - weight)) : Math.fround(1 - weight);
    weights[4 * y + 3] = fixed ? fixedWeight(weight) : weight;
  }
  return table;
}

function clamp(value: number, top: number): number {
  return Math.max(0, Math.min(top, value));
}
