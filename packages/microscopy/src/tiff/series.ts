import { MicroscopyError } from "../errors.ts";
import type { PixelSizeUm, SeriesInfo } from "../types.ts";
import { type Ifd, type TiffFile, tagNumbers } from "./ifd.ts";
import { type PageLayout, readLayout } from "./layout.ts";
import type { PageRef } from "./read-region.ts";

/** A series, and where its planes are. */
export interface SeriesSource {
  readonly info: Omit<SeriesInfo, "index">;
  /** Some of its planes are said to be in other files. */
  readonly otherFiles?: boolean;
  /** Why planes are missing at the end. */
  readonly cutOff?: string;
  /** The page of a plane at a level; indices are inside of `info`. */
  page(
    at: { t: number; c: number; z: number; level: number },
    signal: AbortSignal | undefined,
  ): Promise<PageRef>;
}

/** Which of several axes each page runs through, e.g. `["t", "z", "c"]`, slowest first. */
export type PageAxis = "t" | "c" | "z";

/** The number of a page in a stack whose axes run slowest first. */
export function pageNumber(
  order: readonly PageAxis[],
  sizes: { t: number; c: number; z: number },
  at: { t: number; c: number; z: number },
): number {
  return order.reduce((number, axis) => number * sizes[axis] + at[axis], 0);
}

/** What all series say of their first page. */
export function infoOfLayout(
  layout: PageLayout,
): Pick<SeriesInfo, "pixelType" | "bitsPerSample" | "photometric" | "orientation"> {
  const { pixelType, bits: bitsPerSample, photometric, orientation } = layout;
  return { pixelType, bitsPerSample, photometric, ...(orientation !== 1 && { orientation }) };
}

/** As `infoOfLayout`, of programs that measure: their pixels are intensities, and a palette only says in which colour to show them. */
export function infoOfIntensities(layout: PageLayout): ReturnType<typeof infoOfLayout> {
  const info = infoOfLayout(layout);
  return info.photometric === "palette" ? { ...info, photometric: "grey" } : info;
}

/** Refuses a page that is not like the first of its series. */
export function mustMatch(layout: PageLayout, first: PageLayout, where: string): void {
  const { width, height, samples, pixelType } = layout;
  if (
    width === first.width &&
    height === first.height &&
    samples === first.samples &&
    pixelType === first.pixelType
  )
    return;
  throw new MicroscopyError(
    "corrupt",
    `${where}: expected ${first.width} × ${first.height} × ${first.samples} ${first.pixelType} as in the first page, found ${width} × ${height} × ${samples} ${pixelType}`,
  );
}

/** Colours of a palette page: 3 × 2^bits values. */
export async function paletteOf(
  file: TiffFile,
  ifd: Ifd,
  layout: PageLayout,
  signal: AbortSignal | undefined,
): Promise<{ palette?: Uint16Array }> {
  if (layout.photometric !== "palette") return {};
  const colors = await tagNumbers(file, ifd, 320, signal);
  return colors === undefined || colors.length < 3 ? {} : { palette: Uint16Array.from(colors) };
}

/** The smaller pages that hang on a page (SubIFDs), with their offsets. */
export async function subIfdOffsets(
  file: TiffFile,
  ifd: Ifd,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const offsets = await tagNumbers(file, ifd, 330, signal);
  return offsets === undefined ? [] : Array.from(offsets.subarray(0, 64));
}

/** dpi that programs write without anybody having measured them. */
const printing = new Set([72, 96, 100, 150, 200, 300, 600, 1_200]);

/** Pixel size by the resolution tags, unless it is one of printing. */
export async function sizeByResolution(
  file: TiffFile,
  ifd: Ifd,
  signal: AbortSignal | undefined,
): Promise<PixelSizeUm | undefined> {
  const unit = (await tagNumbers(file, ifd, 296, signal))?.[0] ?? 2;
  const perUnit = {
    x: (await tagNumbers(file, ifd, 282, signal))?.[0],
    y: (await tagNumbers(file, ifd, 283, signal))?.[0],
  };
  if (unit !== 2 && unit !== 3) return undefined;
  if (!isPositive(perUnit.x) || !isPositive(perUnit.y)) return undefined;
  const dpi = unit === 2 ? perUnit.x : perUnit.x * 2.54;
  if (printing.has(Math.round(dpi * 10) / 10) || dpi <= 1.01 || perUnit.x === 1) return undefined;
  const um = unit === 2 ? 25_400 : 10_000;
  return { x: um / perUnit.x, y: um / perUnit.y };
}

export function isPositive(value: number | undefined): value is number {
  return value !== undefined && value > 0 && Number.isFinite(value);
}

export { readLayout };
