import type { CropPngExports } from "../kernels/crop-png-kernels.ts";
import { padded, reach } from "../kernels/instantiate.ts";

/** A window of a plane; where it reaches over an edge it is zero. */
export interface PngWindow {
  readonly top: number;
  readonly left: number;
  readonly width: number;
  readonly height: number;
}

/** Planes that lie in the kernel's memory; 0: none, which is zero. */
export interface PlacedPlanes {
  /** 1 grey (of `blue`), 2 RGB without red, 3 RGB. */
  readonly kind: 1 | 2 | 3;
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  readonly width: number;
  readonly height: number;
}

/** Coded rows that windows are put together from, in the kernel's memory. */
export interface CropPlan {
  /** Address. */
  readonly at: number;
  /** The memory behind it is free. */
  readonly end: number;
}

/** A part of a plane. */
interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** The filter "sub": the first pixel of a window has nothing to its left, and is coded by itself. */
const SUB = 1;
/** Coding a pixel costs ten times as much as copying it: overlaps pay soon. */
const SHARED_FROM = 1.25;
/** Pixels coded for many windows: their bits and those of a plane are some 150 MB. */
const SHARED_PIXELS = 2 ** 25;
const SHARED_COLUMNS = 2 ** 16;

function inside({ left, top, width, height }: PngWindow, planes: { width: number; height: number }): Box {
  return {
    left: Math.max(0, left),
    right: Math.min(planes.width, left + width),
    top: Math.max(0, top),
    bottom: Math.min(planes.height, top + height),
  };
}

function areaOf({ left, right, top, bottom }: Box): number {
  return Math.max(0, right - left) * Math.max(0, bottom - top);
}

/** The least box around all of them. */
function around(boxes: readonly Box[]): Box {
  const least = (values: number[]) => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = (values: number[]) => values.reduce((a, b) => Math.max(a, b), 0);
  return {
    left: least(boxes.map(({ left }) => left)),
    right: most(boxes.map(({ right }) => right)),
    top: least(boxes.map(({ top }) => top)),
    bottom: most(boxes.map(({ bottom }) => bottom)),
  };
}

/** Do windows overlap so much that their rows are better coded once for all? */
export function worthSharing(
  windows: readonly PngWindow[],
  planes: { width: number; height: number },
): boolean {
  const boxes = windows.map((window) => inside(window, planes)).filter((box) => areaOf(box) > 0);
  if (boxes.length < 2) return false;
  const all = around(boxes);
  const asked = boxes.reduce((sum, box) => sum + areaOf(box), 0);
  const area = areaOf(all);
  return area <= SHARED_PIXELS && all.right - all.left <= SHARED_COLUMNS && asked >= SHARED_FROM * area;
}

/** Codes what `windows` have of the planes, at `at` and behind; a plan for windows that have nothing of them has no rows. */
export function makeCropPlan(
  kernels: CropPngExports,
  planes: PlacedPlanes,
  windows: readonly PngWindow[],
  at: number,
): CropPlan {
  const { kind, red, green, blue, width, height } = planes;
  const boxes = windows.map((window) => inside(window, planes)).filter((box) => areaOf(box) > 0);
  const { left, right, top, bottom } =
    boxes.length > 0 ? around(boxes) : { left: 0, right: 0, top: 0, bottom: 0 };
  const [rows, columns] = [bottom - top, right - left];
  const filter = rows === 0 ? SUB : kernels.chooseFilter(red, green, blue, width, left, right, top, bottom);
  const cuts = cutsOf(windows, boxes, planes, filter);
  const start = at + padded(kernels.planBytes(kind, rows, columns, cuts.length));
  reach(kernels.memory, start);
  kernels.layOut(at, kind, red, green, blue, width, height, top, bottom, columns, filter, cuts.length);
  new Uint32Array(kernels.memory.buffer, kernels.cutsOf(at), cuts.length).set(cuts);
  const room = padded(kernels.bandRoom(kind, columns));
  const workBytes = padded(kernels.workBytes(kind, columns));
  let end = start;
  for (let band = 0; band < kernels.bandCount(at); band++) {
    const work = Math.ceil((end + room) / 16) * 16;
    reach(kernels.memory, work + workBytes);
    // An address beyond 2 GiB comes as a negative number.
    end = kernels.codeBand(at, band, work, end) >>> 0;
  }
  return { at, end: Math.ceil((end + 64) / 16) * 16 };
}

/** Columns where pieces of windows begin or end, ascending. */
function cutsOf(
  windows: readonly PngWindow[],
  boxes: readonly Box[],
  planes: PlacedPlanes,
  filter: number,
): Uint32Array {
  const cuts = new Set<number>();
  for (const { left, right } of boxes) cuts.add(left).add(right);
  if (filter === SUB)
    for (const window of windows) {
      const box = inside(window, planes);
      if (areaOf(box) > 0 && window.left >= 0) cuts.add(window.left + 1);
    }
  return Uint32Array.from(cuts).sort();
}
