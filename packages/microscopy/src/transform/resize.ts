import { MicroscopyError } from "../errors.ts";
import { padded, reach } from "../kernels/instantiate.ts";
import { type PixelExports, pixelKernels } from "../kernels/pixel-kernels.ts";
import { bytesOf, newPixels, type PixelArray, sampleBytes } from "../pixels.ts";
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
 * @throws MicroscopyError `invalid-argument`, `unsupported` for other pixel types.
 */
export function resizeBilinear(plane: Plane, factor: number): Plane {
  const { samples, pixelType } = plane;
  if (pixelType !== "uint8" && pixelType !== "uint16" && pixelType !== "float32")
    throw new MicroscopyError("unsupported", `Resizing is for uint8, uint16 and float32, found ${pixelType}`);
  const [width, height] = sidesOf(plane, factor);
  // OpenCV takes means of 2 × 2 pixels there, whatever was asked for.
  if (factor === 0.5) return halve(plane, width, height);
  const data = newPixels(pixelType, width * height * samples);
  const fixed = pixelType === "uint8";
  const columns = columnTable(plane.width, width, samples, factor, fixed);
  const kernels = pixelKernels();
  const { across, down } = stepsOf(kernels, pixelType);

  const values = width * samples;
  const sourceBytes = plane.width * samples * sampleBytes(pixelType);
  const outBytes = values * sampleBytes(pixelType);
  const tableBytes = padded(values * 4);
  const at = kernels.heapBase();
  const [a0, a1] = [at + tableBytes, at + 2 * tableBytes];
  // The kernels work in steps of up to 64 bytes.
  const rows = [at + 3 * tableBytes, at + 4 * tableBytes + 64];
  const source = at + 5 * tableBytes + 128;
  const out = source + padded(plane.height * sourceBytes);
  reach(kernels.memory, out + padded(outBytes));
  const memory = new Uint8Array(kernels.memory.buffer);
  memory.set(bytesOf(columns.at), at);
  memory.set(bytesOf(columns.a0), a0);
  memory.set(bytesOf(columns.a1), a1);
  memory.set(bytesOf(plane.data), source);

  // Two rows made across are held; most output rows need the same two, or one of them.
  const held = [-1, -1];
  const rowOf = (y: number, kept: number): number => {
    const have = held.indexOf(y);
    if (have >= 0) return have;
    const place = 1 - kept;
    across(source + y * sourceBytes, rows[place]!, values, columns.inside, samples, at, a0, a1);
    held[place] = y;
    return place;
  };
  const result = bytesOf(data);
  for (let y = 0; y < height; y++) {
    const { index, weight } = sourceOf(y, factor);
    // Beyond the edge a row is mixed with itself, as OpenCV does: that may round differently from the row alone.
    const top = clamp(index, plane.height - 1);
    const bottom = clamp(index + 1, plane.height - 1);
    const first = rowOf(top, held[1] === bottom ? 1 : 0);
    const second = top === bottom ? first : rowOf(bottom, first);
    const [b0, b1] = fixed
      ? [fixedWeight(Math.fround(1 - weight)), fixedWeight(weight)]
      : [Math.fround(1 - weight), weight];
    down(rows[first]!, rows[second]!, out, values, b0, b1);
    result.set(memory.subarray(out, out + outBytes), y * outBytes);
  }
  return { width, height, samples, pixelType, data };
}

/**
 * A label image resized by a factor: the value at floor(d / factor), as `cv2.INTER_NEAREST` (no half-pixel centre). Any pixel type.
 *
 * @throws MicroscopyError `invalid-argument`.
 */
export function resizeNearest(plane: Plane, factor: number): Plane {
  const { samples, pixelType } = plane;
  const [width, height] = sidesOf(plane, factor);
  const data = newPixels(pixelType, width * height * samples);
  const step = 1 / factor;
  const columns = Uint32Array.from(
    { length: width * samples },
    (_, i) => Math.min(Math.floor(Math.floor(i / samples) * step), plane.width - 1) * samples + (i % samples),
  );
  const stride = plane.width * samples;
  const length = width * samples;
  for (let y = 0, previous = -1; y < height; y++) {
    const row = Math.min(Math.floor(y * step), plane.height - 1);
    if (row === previous) data.copyWithin(y * length, (y - 1) * length, y * length);
    else pick(plane.data, row * stride, columns, data, y * length);
    previous = row;
  }
  return { width, height, samples, pixelType, data };
}

function pick(from: PixelArray, row: number, columns: Uint32Array, to: PixelArray, at: number): void {
  // Arrays of one kind in each branch keep the loop fast.
  if (from instanceof Uint16Array && to instanceof Uint16Array)
    for (let x = 0; x < columns.length; x++) to[at + x] = from[row + columns[x]!]!;
  else if (from instanceof Int32Array && to instanceof Int32Array)
    for (let x = 0; x < columns.length; x++) to[at + x] = from[row + columns[x]!]!;
  else
    for (let x = 0; x < columns.length; x++)
      (to as Uint8Array)[at + x] = (from as Uint8Array)[row + columns[x]!]!;
}

/** Means of 2 × 2 pixels, of those that there are at the edges. */
function halve(plane: Plane, width: number, height: number): Plane {
  const { samples, pixelType } = plane;
  const data = newPixels(pixelType, width * height * samples) as Float32Array<ArrayBuffer>;
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
  return { at, a0, a1, inside };
}

/** 11 bits, rounded half to even. */
function fixedWeight(weight: number): number {
  return resizedSide(weight, 2048);
}

function stepsOf(kernels: PixelExports, type: "uint8" | "uint16" | "float32") {
  if (type === "uint8") return { across: kernels.acrossU8, down: kernels.downU8 };
  if (type === "uint16") return { across: kernels.acrossU16, down: kernels.downU16 };
  return { across: kernels.acrossF32, down: kernels.downF32 };
}

function clamp(value: number, top: number): number {
  return Math.max(0, Math.min(top, value));
}
