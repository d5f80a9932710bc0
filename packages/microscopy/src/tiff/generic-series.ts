import type { SeriesInfo } from "../types.ts";
import { type Ifd, inlineNumber, readIfd, type TiffFile, tagText } from "./ifd.ts";
import type { PageLayout } from "./layout.ts";
import type { Pages } from "./pages.ts";
import {
  infoOfLayout,
  mustMatch,
  type PageAxis,
  pageNumber,
  paletteOf,
  readLayout,
  type SeriesSource,
  sizeByResolution,
  subIfdOffsets,
} from "./series.ts";
import { vendorMetadata } from "./vendor.ts";

/**
 * Pages of a file that says nothing about them: those of one size and type are a series, in their order along t, unless a description
 * names axes. Smaller copies of a page (SubIFDs, or pages that follow it marked as reduced) are its levels.
 */
export async function genericSeries(
  file: TiffFile,
  pages: Pages,
  warnings: string[],
  signal: AbortSignal | undefined,
): Promise<SeriesSource[]> {
  const count = await pages.count(signal);
  const groups = new Map<string, Ifd[]>();
  const levels = new Map<string, Ifd[]>();
  let main: { key: string; ifd: Ifd } | undefined;
  for (let i = 0; i < count; i++) {
    const ifd = (await pages.at(i, signal)) as Ifd;
    if (main !== undefined && groups.get(main.key)?.length === 1 && isReducedCopy(file, main.ifd, ifd)) {
      levels.set(main.key, [...(levels.get(main.key) ?? []), ifd]);
      continue;
    }
    const key = keyOf(file, ifd);
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, [ifd]);
      main = { key, ifd };
    } else group.push(ifd);
  }
  const series: SeriesSource[] = [];
  const apart: Ifd[] = [];
  for (const [key, ifds] of groups) {
    series.push(await oneSeries(file, ifds, levels.get(key) ?? [], warnings, signal));
    for (const ifd of ifds) apart.push(...(await notLevels(file, ifd, signal)));
  }
  for (const ifd of apart) series.push(await oneSeries(file, [ifd], [], warnings, signal));
  return series;
}

async function oneSeries(
  file: TiffFile,
  ifds: readonly Ifd[],
  reduced: readonly Ifd[],
  warnings: string[],
  signal: AbortSignal | undefined,
): Promise<SeriesSource> {
  const first = ifds[0]!;
  const layout = await readLayout(file, first, signal);
  const stated = shapedAxes((await tagText(file, first, 270, signal)) ?? "", ifds.length);
  const vendor = await vendorMetadata(file, ifds, signal);
  const axes = vendor.pages ?? stated;
  const sizes = axes?.sizes ?? { t: ifds.length, c: 1, z: 1 };
  const order = axes?.order ?? (["t"] as const);
  if (axes === undefined && ifds.length > 1)
    warnings.push(`${ifds.length} pages and no word on what they are; they are numbered along t`);
  const printed = vendor.pixelSizeUm === undefined ? await sizeByResolution(file, first, signal) : undefined;
  const inner = await levelOffsets(file, first, signal);
  const levelLayouts: PageLayout[] = [];
  for (const offset of inner)
    levelLayouts.push(await readLayout(file, await readIfd(file, offset, signal), signal));
  for (const ifd of reduced) levelLayouts.push(await readLayout(file, ifd, signal));
  const samples = layout.samples;
  const info: Omit<SeriesInfo, "index"> = {
    ...infoOfLayout(layout),
    ...(await paletteOf(file, first, layout, signal)),
    sizes: { ...sizes, y: layout.height, x: layout.width, samples },
    axes: `${ifds.length > 1 ? (axes === undefined ? "I" : order.map((axis) => axis.toUpperCase()).join("")) : ""}YX${samples > 1 ? "S" : ""}`,
    channels: vendor.channels ?? Array.from({ length: sizes.c }, () => ({})),
    ...(vendor.pixelSizeUm !== undefined && { pixelSizeUm: vendor.pixelSizeUm, pixelSizeFrom: "vendor" }),
    ...(printed !== undefined && { pixelSizeUm: printed, pixelSizeFrom: "resolution-tags" }),
    levels: [layout, ...levelLayouts].map(({ width, height }) => ({ width, height })),
  };
  return {
    info,
    async page(at, during) {
      const ifd = ifds[pageNumber(order, sizes, at)]!;
      if (at.level > 0) {
        const levelIfd =
          at.level <= inner.length
            ? await subIfd(file, ifd, at.level, during)
            : reduced[at.level - 1 - inner.length]!;
        return { file, ifd: levelIfd, layout: await readLayout(file, levelIfd, during), shift: 0 };
      }
      const own = ifd === first ? layout : await readLayout(file, ifd, during);
      mustMatch(own, layout, `${file.uri}, page at ${ifd.offset}`);
      return { file, ifd, layout: own, shift: 0 };
    },
  };
}

/** SubIFDs that are not smaller copies of their page: images of their own. */
async function notLevels(file: TiffFile, ifd: Ifd, signal: AbortSignal | undefined): Promise<Ifd[]> {
  const apart: Ifd[] = [];
  for (const offset of await subIfdOffsets(file, ifd, signal)) {
    const sub = await readIfd(file, offset, signal);
    if (!isSmallerCopy(file, ifd, sub)) apart.push(sub);
  }
  return apart;
}

/** The SubIFDs of a page that are levels of it: they come first. */
async function levelOffsets(file: TiffFile, ifd: Ifd, signal: AbortSignal | undefined): Promise<number[]> {
  const offsets: number[] = [];
  for (const offset of await subIfdOffsets(file, ifd, signal)) {
    if (!isSmallerCopy(file, ifd, await readIfd(file, offset, signal))) break;
    offsets.push(offset);
  }
  return offsets;
}

/** The directory of a level of a page. */
export async function subIfd(
  file: TiffFile,
  ifd: Ifd,
  level: number,
  signal: AbortSignal | undefined,
): Promise<Ifd> {
  const offsets = await subIfdOffsets(file, ifd, signal);
  return readIfd(file, offsets[level - 1] ?? -1, signal);
}

/** Pages alike have the same key. Of values that do not lie in the directory only the number counts; `mustMatch` looks at them. */
function keyOf(file: TiffFile, ifd: Ifd): string {
  return [256, 257, 258, 259, 262, 277, 284, 322, 323, 339]
    .map((tag) => inlineNumber(file, ifd, tag) ?? "")
    .join();
}

/** Is a page marked as a smaller copy, and shaped like the one before it? */
function isReducedCopy(file: TiffFile, main: Ifd, ifd: Ifd): boolean {
  return ((inlineNumber(file, ifd, 254) ?? 0) & 1) === 1 && isSmallerCopy(file, main, ifd);
}

function isSmallerCopy(file: TiffFile, main: Ifd, ifd: Ifd): boolean {
  const [w0, h0] = [inlineNumber(file, main, 256) ?? 0, inlineNumber(file, main, 257) ?? 0];
  const [w, h] = [inlineNumber(file, ifd, 256) ?? 0, inlineNumber(file, ifd, 257) ?? 0];
  if (
    w < 1 ||
    h < 1 ||
    w >= w0 ||
    h >= h0 ||
    (inlineNumber(file, main, 277) ?? 1) !== (inlineNumber(file, ifd, 277) ?? 1)
  )
    return false;
  return Math.abs((w0 * h) / (w * h0) - 1) < 0.02 + 1 / w + 1 / h;
}

/** The axes that tifffile writes as JSON: `{"shape": [3, 5, 512, 512], "axes": "CZYX"}`. */
function shapedAxes(
  description: string,
  pages: number,
): { order: PageAxis[]; sizes: { t: number; c: number; z: number } } | undefined {
  if (!description.startsWith("{") || pages < 2) return undefined;
  let said: unknown;
  try {
    said = JSON.parse(description);
  } catch {
    return undefined;
  }
  const { shape, axes } = said as { shape?: unknown; axes?: unknown };
  if (typeof axes !== "string" || !Array.isArray(shape) || shape.length !== axes.length) return undefined;
  const order: PageAxis[] = [];
  const sizes = { t: 1, c: 1, z: 1 };
  for (const [i, letter] of Array.from(axes).entries()) {
    const axis = letter.toLowerCase();
    if (axis === "y" || axis === "x" || axis === "s") continue;
    if (axis !== "t" && axis !== "c" && axis !== "z") return undefined;
    order.push(axis);
    sizes[axis] = Number(shape[i]);
  }
  return sizes.t * sizes.c * sizes.z === pages ? { order, sizes } : undefined;
}
