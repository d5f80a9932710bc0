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

/** What is used of a page's JSON; besides there are settings of devices, e.g. `…Laser 488-Power Enable`. */
interface MicroManagerPage {
  readonly [setting: string]: unknown;
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
  const ranked = {
    t: ranks(pages, "FrameIndex"),
    c: ranks(pages, "ChannelIndex"),
    z: ranks(pages, "SliceIndex"),
  };
  const indices = pages.map((_, i) => ({ t: ranked.t[i]!, c: ranked.c[i]!, z: ranked.z[i]! }));
  const extent = (axis: PageAxis) => ranked[axis].reduce((most, index) => Math.max(most, index), 0) + 1;
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
    const name = channelName(pages[indices.findIndex((index) => index.c === c)]);
    return name === undefined ? {} : { name };
  });
  return { ...pixelSize, channels, pages: { order, sizes } };
}

/** Indices counted from 0: there are files whose channels begin at -1. */
function ranks(
  pages: readonly MicroManagerPage[],
  key: "FrameIndex" | "ChannelIndex" | "SliceIndex",
): number[] {
  const values = pages.map((page) => page[key] ?? 0);
  const order = new Map([...new Set(values)].sort((a, b) => a - b).map((value, rank) => [value, rank]));
  return values.map((value) => order.get(value) as number);
}

/** What the page says, or else the wavelength of the only laser that was on. */
function channelName(page: MicroManagerPage | undefined): string | undefined {
  if (page === undefined || (page.Channel !== undefined && page.Channel !== "")) return page?.Channel;
  const lasers = Object.keys(page).flatMap((key) => {
    const laser = /Laser (\d{3})-Power Enable$/.exec(key)?.[1];
    return laser !== undefined && page[key] === "On" ? [laser] : [];
  });
  return lasers.length === 1 ? lasers[0] : undefined;
}
