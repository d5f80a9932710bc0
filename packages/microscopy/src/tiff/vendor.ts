import type { ChannelInfo, PixelSizeUm } from "../types.ts";
import { findEntry, type Ifd, type TiffFile, tagText } from "./ifd.ts";
import { isPositive, type PageAxis } from "./series.ts";

/** What microscope programs write beside the pixels, as far as it says what pages and pixels are. */
export interface VendorMetadata {
  readonly pixelSizeUm?: PixelSizeUm;
  readonly channels?: readonly ChannelInfo[];
  readonly pages?: {
    readonly order: readonly PageAxis[];
    readonly sizes: { t: number; c: number; z: number };
  };
}

/** Per-page JSON of Micro-Manager. */
const MICRO_MANAGER = 51123;

/** MetaSeries (MetaXpress, ImageXpress), Aperio and Micro-Manager. */
export async function vendorMetadata(
  file: TiffFile,
  ifds: readonly Ifd[],
  signal: AbortSignal | undefined,
): Promise<VendorMetadata> {
  const first = ifds[0]!;
  if (findEntry(file, first, MICRO_MANAGER) !== undefined) return microManager(file, ifds, signal);
  const description = (await tagText(file, first, 270, signal)) ?? "";
  if (description.startsWith("<MetaData>")) return metaSeries(description);
  if (description.startsWith("Aperio")) return aperio(description);
  return {};
}

function metaSeries(xml: string): VendorMetadata {
  const prop = (id: string) => new RegExp(`<prop id="${id}"[^>]* value="([^"]*)"`).exec(xml)?.[1];
  const [x, y] = [Number(prop("spatial-calibration-x")), Number(prop("spatial-calibration-y"))];
  const unit = prop("spatial-calibration-units") ?? "";
  const name = prop("image-name") ?? prop("_IllumSetting_");
  const isUm = unit === "um" || unit.endsWith("m") === false ? unit === "um" : /^(u|µ|μ)m$/.test(unit);
  return {
    ...(isUm && isPositive(x) && isPositive(y) && { pixelSizeUm: { x, y } }),
    ...(name !== undefined && name !== "" && { channels: [{ name }] }),
  };
}

function aperio(description: string): VendorMetadata {
  const mpp = Number(/\bMPP = ([0-9.]+)/.exec(description)?.[1]);
  return isPositive(mpp) ? { pixelSizeUm: { x: mpp, y: mpp } } : {};
}

/** What is used of a page's JSON. */
interface MicroManagerPage {
  readonly ChannelIndex?: number;
  readonly SliceIndex?: number;
  readonly FrameIndex?: number;
  readonly Channel?: string;
  readonly PixelSizeUm?: number;
  readonly "z-step_um"?: number;
}

/** Indices of every page, taken if they run through a full grid in one of the orders; otherwise only the pixel size. */
async function microManager(
  file: TiffFile,
  ifds: readonly Ifd[],
  signal: AbortSignal | undefined,
): Promise<VendorMetadata> {
  const pages: MicroManagerPage[] = [];
  for (const ifd of ifds) {
    try {
      pages.push(JSON.parse((await tagText(file, ifd, MICRO_MANAGER, signal)) ?? "{}") as MicroManagerPage);
    } catch (error) {
      if (error instanceof SyntaxError) return {};
      throw error;
    }
  }
  const size = pages[0]?.PixelSizeUm;
  const step = pages[0]?.["z-step_um"];
  const pixelSize = isPositive(size)
    ? { pixelSizeUm: { x: size, y: size, ...(isPositive(step) && { z: step }) } }
    : {};
  const indices = pages.map((page) => ({
    t: page.FrameIndex ?? 0,
    c: page.ChannelIndex ?? 0,
    z: page.SliceIndex ?? 0,
  }));
  const extent = (axis: PageAxis) => indices.reduce((most, index) => Math.max(most, index[axis]), 0) + 1;
  const sizes = { t: extent("t"), c: extent("c"), z: extent("z") };
  const orders: PageAxis[][] = [
    ["t", "z", "c"],
    ["t", "c", "z"],
  ];
  const order = orders.find((candidate) =>
    indices.every(
      (index, i) => candidate.reduce((number, axis) => number * sizes[axis] + index[axis], 0) === i,
    ),
  );
  if (order === undefined || sizes.t * sizes.c * sizes.z !== pages.length) return pixelSize;
  const channels = Array.from({ length: sizes.c }, (_, c) => {
    const name = pages[indices.findIndex((index) => index.c === c)]?.Channel;
    return name === undefined ? {} : { name };
  });
  return { ...pixelSize, channels, pages: { order, sizes } };
}
