import { deflateSync, zstdCompressSync } from "node:zlib";

/** What a TIFF of the tests is like. Pixels are whole bytes of `bits` each. */
export interface TiffShape {
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly bits: 8 | 16 | 32 | 64;
  readonly format: 1 | 2 | 3;
  readonly littleEndian: boolean;
  readonly big: boolean;
  readonly compression: 1 | 5 | 8 | 32773 | 32946 | 50000 | 33003 | 33004 | 33005 | 34712;
  readonly predictor: 1 | 2 | 3;
  readonly separate: boolean;
  /** Of a tile; 0 for strips of `rows`. */
  readonly tile: number;
  readonly rows: number;
  /** Zeros that follow the pixels of a compressed segment, as some writers have it. */
  readonly pad?: number;
  /** Packs the little-endian pixels of a segment for JPEG 2000, which is not written here. */
  readonly encode?: (
    pixels: Uint8Array,
    size: {
      readonly width: number;
      readonly height: number;
      readonly samples: number;
      readonly bits: number;
    },
  ) => Uint8Array;
}

export interface TiffPage {
  /** Little-endian values, `height` × `width` × `samples`. */
  readonly pixels: Uint8Array;
  readonly description?: string;
  readonly tags?: readonly (readonly [tag: number, type: 3 | 4, values: readonly number[]])[];
}

/** A TIFF, written as plainly as possible: nothing is shared with the reader or with the writer of the package. */
export function buildTiff(shape: TiffShape, pages: readonly TiffPage[]): Uint8Array<ArrayBuffer> {
  const { littleEndian: le, big } = shape;
  const file: number[] = [];
  const number = (value: number, bytes: number): number[] => {
    const out = Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);
    return le ? out : out.reverse();
  };
  const word = big ? 8 : 4;
  file.push(...(le ? [0x49, 0x49] : [0x4d, 0x4d]), ...number(big ? 43 : 42, 2));
  if (big) file.push(...number(8, 2), ...number(0, 2));
  let link = file.length;
  file.push(...number(0, word));
  const patch = (at: number, value: number) => file.splice(at, word, ...number(value, word));
  for (const { pixels, description, tags = [] } of pages) {
    const segments = segmentsOf(shape, pixels);
    const offsets = segments.map((segment) => {
      const at = file.length;
      for (const byte of segment) file.push(byte);
      return at;
    });
    const own: [number, 2 | 3 | 4 | 16, readonly number[]][] = [
      [256, 4, [shape.width]],
      [257, 4, [shape.height]],
      [258, 3, Array(shape.samples).fill(shape.bits)],
      [259, 3, [shape.compression]],
      [262, 3, [shape.samples >= 3 ? 2 : 1]],
      [277, 3, [shape.samples]],
      [284, 3, [shape.separate ? 2 : 1]],
      [317, 3, [shape.predictor]],
      [339, 3, Array(shape.samples).fill(shape.format)],
      ...(shape.tile > 0
        ? ([
            [322, 3, [shape.tile]],
            [323, 3, [shape.tile]],
            [324, big ? 16 : 4, offsets],
            [325, 4, segments.map((segment) => segment.length)],
          ] as [number, 3 | 4 | 16, number[]][])
        : ([
            [273, big ? 16 : 4, offsets],
            [278, 4, [shape.rows]],
            [279, 4, segments.map((segment) => segment.length)],
          ] as [number, 3 | 4 | 16, number[]][])),
      ...(description === undefined
        ? []
        : [[270, 2, [...Buffer.from(`${description}\0`)]] as [number, 2, number[]]]),
    ];
    // A page's tags stand in for those that every page has.
    const all = [
      ...own.filter(([tag]) => !tags.some(([other]) => other === tag)),
      ...tags.map(([tag, type, values]): [number, 3 | 4, readonly number[]] => [tag, type, values]),
    ];
    all.sort((a, b) => a[0] - b[0]);
    const entries: number[] = [];
    for (const [tag, type, values] of all) {
      const bytes = values.flatMap((value) => number(value, { 2: 1, 3: 2, 4: 4, 16: 8 }[type]));
      const fits = bytes.length <= word;
      const at = file.length;
      if (!fits) file.push(...bytes);
      entries.push(...number(tag, 2), ...number(type, 2), ...number(values.length, word));
      entries.push(...(fits ? [...bytes, ...Array(word - bytes.length).fill(0)] : number(at, word)));
    }
    patch(link, file.length);
    file.push(...number(all.length, big ? 8 : 2), ...entries);
    link = file.length;
    file.push(...number(0, word));
  }
  return Uint8Array.from(file);
}

function segmentsOf(shape: TiffShape, pixels: Uint8Array): Uint8Array[] {
  const { width, height, samples, tile, rows, separate } = shape;
  const unit = shape.bits / 8;
  const [segmentWidth, segmentHeight] = tile > 0 ? [tile, tile] : [width, rows];
  const segments: Uint8Array[] = [];
  for (const only of separate
    ? Array.from({ length: samples }, (_, s) => [s])
    : [Array.from({ length: samples }, (_, s) => s)])
    for (let top = 0; top < height; top += segmentHeight)
      for (let left = 0; left < width; left += segmentWidth) {
        const tall = tile > 0 ? segmentHeight : Math.min(segmentHeight, height - top);
        const bytes = new Uint8Array(segmentWidth * tall * only.length * unit);
        let at = 0;
        for (let y = top; y < top + tall; y++)
          for (let x = left; x < left + segmentWidth; x++)
            for (const s of only) {
              if (y < height && x < width) {
                const from = ((y * width + x) * samples + s) * unit;
                bytes.set(pixels.subarray(from, from + unit), at);
              }
              at += unit;
            }
        const size = { width: segmentWidth, height: tall, samples: only.length, bits: shape.bits };
        segments.push(
          shape.encode?.(bytes, size) ??
            pack(shape, predict(shape, bytes, segmentWidth * only.length, only.length)),
        );
      }
  return segments;
}

/** Predictor and byte order. */
function predict(shape: TiffShape, bytes: Uint8Array, rowValues: number, samples: number): Uint8Array {
  const unit = shape.bits / 8;
  const rowBytes = rowValues * unit;
  if (shape.predictor === 3) {
    const out = new Uint8Array(bytes.length);
    for (let row = 0; row < bytes.length; row += rowBytes) {
      for (let i = 0; i < rowValues; i++)
        for (let k = 0; k < unit; k++) out[row + k * rowValues + i] = bytes[row + i * unit + unit - 1 - k]!;
      for (let i = rowBytes - 1; i >= samples; i--) out[row + i] = out[row + i]! - out[row + i - samples]!;
    }
    return out;
  }
  const out = bytes.slice();
  if (shape.predictor === 2)
    for (let row = 0; row < bytes.length; row += rowBytes)
      for (let i = rowValues - 1; i >= samples; i--) {
        let borrow = 0;
        for (let k = 0; k < unit; k++) {
          const d = bytes[row + i * unit + k]! - bytes[row + (i - samples) * unit + k]! - borrow;
          out[row + i * unit + k] = d;
          borrow = d < 0 ? 1 : 0;
        }
      }
  if (!shape.littleEndian) for (let i = 0; i < out.length; i += unit) out.subarray(i, i + unit).reverse();
  return out;
}

function pack({ compression, pad = 0 }: TiffShape, pixels: Uint8Array): Uint8Array {
  const bytes = Buffer.concat([pixels, Buffer.alloc(pad)]);
  if (compression === 8 || compression === 32946) return deflateSync(bytes);
  if (compression === 50000) return zstdCompressSync(bytes);
  if (compression === 32773) return packBits(bytes);
  return compression === 5 ? lzw(bytes) : bytes;
}

function packBits(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let i = 0; i < bytes.length; ) {
    let run = 1;
    while (i + run < bytes.length && run < 128 && bytes[i + run] === bytes[i]) run++;
    if (run > 2) {
      out.push(257 - run, bytes[i]!);
      i += run;
      continue;
    }
    const start = i;
    while (i < bytes.length && i - start < 128 && !(bytes[i] === bytes[i + 1] && bytes[i] === bytes[i + 2]))
      i++;
    if (i === start) i++;
    out.push(i - start - 1, ...bytes.subarray(start, i));
  }
  return Uint8Array.from(out);
}

/** TIFF LZW with strings as keys of a map. */
function lzw(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  let acc = 0;
  let held = 0;
  let width = 9;
  const put = (code: number) => {
    acc = (acc << width) | code;
    held += width;
    while (held >= 8) {
      out.push((acc >> (held - 8)) & 255);
      held -= 8;
    }
    acc &= (1 << held) - 1;
  };
  let table = new Map<string, number>();
  const reset = () => {
    table = new Map(Array.from({ length: 256 }, (_, i) => [String.fromCharCode(i), i]));
    width = 9;
  };
  reset();
  put(256);
  let next = 258;
  let word = "";
  for (const byte of bytes) {
    const longer = word + String.fromCharCode(byte);
    if (table.has(longer)) {
      word = longer;
      continue;
    }
    put(table.get(word)!);
    table.set(longer, next++);
    if (next === 512 || next === 1024 || next === 2048) width++;
    if (next === 4094) {
      put(256);
      reset();
      next = 258;
    }
    word = String.fromCharCode(byte);
  }
  if (word !== "") put(table.get(word)!);
  // The decoder has by now one string more.
  if (word !== "" && (next + 1 === 512 || next + 1 === 1024 || next + 1 === 2048)) width++;
  put(257);
  if (held > 0) out.push((acc << (8 - held)) & 255);
  return Uint8Array.from(out);
}
