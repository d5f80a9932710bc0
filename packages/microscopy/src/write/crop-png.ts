import { crc32 } from "node:zlib";
import { MicroscopyError } from "../errors.ts";
import { giveBackCropPngKernels, takeCropPngKernels } from "../kernels/crop-png-kernels.ts";
import { padded, reach } from "../kernels/instantiate.ts";
import { bytesOf } from "../pixels.ts";
import type { PixelSizeUm } from "../types.ts";
import { type CropPlan, makeCropPlan, type PlacedPlanes, type PngWindow, worthSharing } from "./crop-plan.ts";
import { physOf } from "./png.ts";

/** A plane of 16 bits, row by row. */
export interface CropSource {
  readonly width: number;
  readonly height: number;
  readonly data: Uint16Array<ArrayBuffer>;
}

/** Channels of a pixel by number of the plane; undefined: zero. */
export type PngChannels =
  | { readonly grey: number }
  | {
      readonly red?: number | undefined;
      readonly green?: number | undefined;
      readonly blue?: number | undefined;
    };

export interface CropPngOptions {
  /** Written as `pHYs`, in pixels per metre. */
  readonly pixelSizeUm?: PixelSizeUm | undefined;
}

/** Makes PNGs of windows of the same planes. */
export interface CropPngEncoder extends Disposable {
  /**
   * A PNG of 16 bits. The same planes, announced windows and options give the same bytes, everywhere.
   *
   * @returns bytes that last until the next call, or the end of the encoder: copy what is kept.
   * @throws MicroscopyError `invalid-argument`.
   */
  encode(window: PngWindow, channels: PngChannels, options?: CropPngOptions): Uint8Array<ArrayBuffer>;
}

/** The kernel sums a row in 32 bits. */
const MAX_COLUMNS = 16_384;
const MAX_ROWS = 2 ** 20;
/** Signature, IHDR, pHYs and the head of IDAT. */
const HEAD_ROOM = 80;
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * An encoder for many crops of one image: its planes are laid into the kernel's memory once, and crops are coded from there without being
 * cut out. It is for noisy pixels of 16 bits, finds no repeats but runs of zeros, and is several times as fast as `encodePng`, which takes
 * every kind of pixel and has the levels of zlib. Dispose of it to let others have its memory.
 *
 * @param planes of one size.
 * @param windows that will be asked for. Where they overlap much, what they share is coded once for all of them; others can be asked for too.
 * @throws MicroscopyError `invalid-argument`, `too-large` beyond 2 GiB of pixels.
 */
export function createCropPngEncoder(
  planes: readonly CropSource[],
  windows: readonly PngWindow[] = [],
): CropPngEncoder {
  const { width, height } = planes[0] ?? { width: 0, height: 0 };
  for (const plane of planes)
    if (plane.width !== width || plane.height !== height || plane.data.length !== width * height)
      throw new MicroscopyError(
        "invalid-argument",
        `Expected planes of ${width} × ${height} pixels, found ${plane.width} × ${plane.height} with ${plane.data.length} values`,
      );
  for (const window of windows) checkWindow(window);
  const bytes = planes.reduce((sum, { data }) => sum + padded(data.byteLength), 0);
  if (bytes > 2 ** 31)
    throw new MicroscopyError(
      "too-large",
      `Expected at most 2 GiB of pixels to cut from, found ${bytes} bytes`,
    );
  const kernels = takeCropPngKernels();
  const places: number[] = [];
  let end = kernels.heapBase() + 64;
  reach(kernels.memory, end + bytes);
  for (const { data } of planes) {
    new Uint8Array(kernels.memory.buffer).set(bytesOf(data), end);
    places.push(end);
    end += padded(data.byteLength);
  }
  let open = true;
  const placeOf = (index: number | undefined) => {
    if (index === undefined) return 0;
    const place = places[index];
    if (place === undefined)
      throw new MicroscopyError(
        "invalid-argument",
        `Expected a plane below ${places.length}, found ${index}`,
      );
    return place;
  };
  const placed = (channels: PngChannels): PlacedPlanes => {
    if ("grey" in channels) return { kind: 1, red: 0, green: 0, blue: placeOf(channels.grey), width, height };
    const [red, green, blue] = [channels.red, channels.green, channels.blue].map(placeOf) as [
      number,
      number,
      number,
    ];
    return { kind: red === 0 ? 2 : 3, red, green, blue, width, height };
  };
  const expected = new Set(worthSharing(windows, { width, height }) ? windows.map(keyOf) : []);
  const shared = new Map<string, CropPlan>();
  /** Coded for all expected windows, or for this one alone in memory that the next one takes over. */
  const planFor = (window: PngWindow, from: PlacedPlanes): CropPlan => {
    if (!expected.has(keyOf(window))) return makeCropPlan(kernels, from, [window], end);
    const key = `${from.kind} ${from.red} ${from.green} ${from.blue}`;
    let plan = shared.get(key);
    if (plan === undefined) {
      plan = makeCropPlan(kernels, from, windows, end);
      shared.set(key, plan);
      end = plan.end;
    }
    return plan;
  };
  return {
    encode(window, channels, { pixelSizeUm } = {}) {
      if (!open) throw new MicroscopyError("invalid-argument", "The encoder of these crops is disposed of");
      checkWindow(window);
      const from = placed(channels);
      const plan = planFor(window, from);
      const to = Math.max(plan.end, end) + HEAD_ROOM;
      reach(kernels.memory, to + padded(kernels.roomFor(from.kind, window.width, window.height)));
      const { left, top, width: columns, height: rows } = window;
      const length = kernels.cut(plan.at, left, top, columns, rows, to);
      const phys = pixelSizeUm && physOf(pixelSizeUm);
      return framed(kernels.memory.buffer, to, length, window, from.kind === 1, phys);
    },
    [Symbol.dispose]() {
      if (open) giveBackCropPngKernels(kernels);
      open = false;
    },
  };
}

function keyOf({ top, left, width, height }: PngWindow): string {
  return `${top} ${left} ${width} ${height}`;
}

function checkWindow({ top, left, width, height }: PngWindow): void {
  const whole = [top, left, width, height].every(Number.isInteger);
  const fits = Math.abs(top) < 2 ** 30 && Math.abs(left) < 2 ** 30;
  if (!whole || !fits || width < 1 || height < 1 || width > MAX_COLUMNS || height > MAX_ROWS)
    throw new MicroscopyError(
      "invalid-argument",
      `Expected a window of at most ${MAX_COLUMNS} × ${MAX_ROWS} whole pixels, found ${width} × ${height} at ${left}, ${top}`,
    );
}

/** The chunks of a PNG around a zlib stream, in place. */
function framed(
  memory: ArrayBuffer,
  at: number,
  length: number,
  { width, height }: PngWindow,
  grey: boolean,
  phys: Uint8Array | undefined,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(memory);
  const view = new DataView(memory);
  const start = at - 8 - (phys === undefined ? 0 : 12 + phys.length) - 25 - 8;
  const chunk = (place: number, type: string, size: number) => {
    view.setUint32(place, size);
    for (let i = 0; i < 4; i++) bytes[place + 4 + i] = type.charCodeAt(i);
    view.setUint32(place + 8 + size, crc32(bytes.subarray(place + 4, place + 8 + size)));
  };
  bytes.set(SIGNATURE, start);
  const header = start + 8;
  view.setUint32(header + 8, width);
  view.setUint32(header + 12, height);
  bytes.set([16, grey ? 0 : 2, 0, 0, 0], header + 16);
  chunk(header, "IHDR", 13);
  if (phys !== undefined) {
    bytes.set(phys, header + 25 + 8);
    chunk(header + 25, "pHYs", phys.length);
  }
  chunk(at - 8, "IDAT", length);
  chunk(at + length + 4, "IEND", 0);
  return bytes.subarray(start, at + length + 16);
}
