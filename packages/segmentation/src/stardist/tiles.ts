import { pause } from "../image.ts";
import type { SegmentContext } from "../types.ts";
import { divisorOf } from "./config.ts";
import type { Prediction } from "./instances.ts";
import type { Network } from "./model.ts";

/** Pixels of one run of the network; 1 Mpx of the usual network takes 300 MB. */
export const maxTilePx = 1_024 * 1_024;

/**
 * Prediction of an image that is padded at its end by reflection to multiples of the network's divisor. Images of more pixels than
 * `tilePx` are run in tiles that overlap by the reach of the network, so that memory is bounded and the cells are the same.
 *
 * @param image channels × height × width, normalised.
 * @param reachPx of `structuralReach`.
 */
export async function predictTiled(
  network: Network,
  image: Float32Array,
  width: number,
  height: number,
  reachPx: number,
  context: SegmentContext = {},
  tilePx = maxTilePx,
): Promise<Prediction> {
  const { config } = network;
  const [stepY, stepX] = divisorOf(config);
  const paddedHeight = Math.ceil(height / stepY) * stepY;
  const paddedWidth = Math.ceil(width / stepX) * stepX;
  const { grid, rays, channelsIn } = config;
  const rows = paddedHeight / grid[0];
  const columns = paddedWidth / grid[1];
  const cut = (top: number, left: number, h: number, w: number) =>
    reflected(image, channelsIn, width, height, top, left, h, w);
  if (paddedHeight * paddedWidth <= tilePx) {
    const whole = await network.predict(cut(0, 0, paddedHeight, paddedWidth), paddedWidth, paddedHeight);
    return { rays, grid, ...whole };
  }
  const probabilities = new Float32Array(rows * columns);
  const distances = new Float32Array(rays * rows * columns);
  const side = Math.floor(Math.sqrt(tilePx));
  for (const y of tilesOf(paddedHeight, side, reachPx, stepY)) {
    for (const x of tilesOf(paddedWidth, side, reachPx, stepX)) {
      await pause(context);
      const w = x.end - x.start;
      const tile = await network.predict(cut(y.start, x.start, y.end - y.start, w), w, y.end - y.start);
      const place = {
        fromRow: (y.from - y.start) / grid[0],
        fromColumn: (x.from - x.start) / grid[1],
        row: y.from / grid[0],
        column: x.from / grid[1],
        height: (y.to - y.from) / grid[0],
        width: (x.to - x.from) / grid[1],
      };
      copyPlanes(tile.probabilities, tile.rows, tile.columns, probabilities, rows, columns, place);
      copyPlanes(tile.distances, tile.rows, tile.columns, distances, rows, columns, place);
    }
  }
  return { rows, columns, rays, grid, probabilities, distances };
}

/** Stretches of an axis: [from, to) is kept of what the network makes of [start, end). All are multiples of `step`. */
function tilesOf(size: number, side: number, reach: number, step: number) {
  const margin = Math.ceil(reach / step) * step;
  const core = Math.max(step, Math.floor((side - 2 * margin) / step) * step);
  return Array.from({ length: Math.ceil(size / core) }, (_, i) => {
    const from = i * core;
    const to = Math.min(size, from + core);
    return { from, to, start: Math.max(0, from - margin), end: Math.min(size, to + margin) };
  });
}

interface Place {
  readonly fromRow: number;
  readonly fromColumn: number;
  readonly row: number;
  readonly column: number;
  readonly height: number;
  readonly width: number;
}

function copyPlanes(
  from: Float32Array,
  fromRows: number,
  fromColumns: number,
  to: Float32Array,
  rows: number,
  columns: number,
  place: Place,
): void {
  const planes = to.length / (rows * columns);
  for (let plane = 0; plane < planes; plane++)
    for (let r = 0; r < place.height; r++) {
      const source = (plane * fromRows + place.fromRow + r) * fromColumns + place.fromColumn;
      const target = (plane * rows + place.row + r) * columns + place.column;
      to.set(from.subarray(source, source + place.width), target);
    }
}

/** A window of an image of planes; beyond the end the image is reflected at its last row and column, as numpy's `pad(mode="reflect")`. */
function reflected(
  image: Float32Array,
  channels: number,
  width: number,
  height: number,
  top: number,
  left: number,
  h: number,
  w: number,
): Float32Array {
  const result = new Float32Array(channels * h * w);
  const inside = Math.max(0, Math.min(w, width - left));
  for (let channel = 0, at = 0; channel < channels; channel++)
    for (let r = 0; r < h; r++, at += w) {
      const row = (channel * height + mirror(top + r, height)) * width;
      result.set(image.subarray(row + left, row + left + inside), at);
      for (let c = inside; c < w; c++) result[at + c] = image[row + mirror(left + c, width)] as number;
    }
  return result;
}

function mirror(position: number, size: number): number {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const at = position % period;
  return at < size ? at : period - at;
}
