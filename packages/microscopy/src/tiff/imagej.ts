import { MicroscopyError } from "../errors.ts";
import type { PixelSizeUm, SeriesInfo } from "../types.ts";
import { NONE } from "./compressions.ts";
import { type Ifd, type TiffFile, tagBytes, tagNumbers, tagText } from "./ifd.ts";
import { packedRowBytes } from "./layout.ts";
import type { Pages } from "./pages.ts";
import {
  infoOfIntensities,
  isPositive,
  mustMatch,
  type PageAxis,
  pageNumber,
  readLayout,
  type SeriesSource,
} from "./series.ts";

/** ImageJ writes channels fastest, then slices, then frames. */
const ORDER: readonly PageAxis[] = ["t", "z", "c"];

/**
 * An ImageJ stack or hyperstack, or undefined when the description is not ImageJ's. A stack beyond 4 GB has one directory, its planes
 * lie one behind the other.
 */
export async function imageJSeries(
  file: TiffFile,
  pages: Pages,
  warnings: string[],
  signal: AbortSignal | undefined,
): Promise<SeriesSource | undefined> {
  const first = (await pages.at(0, signal)) as Ifd;
  const description = (await tagText(file, first, 270, signal)) ?? "";
  if (!description.startsWith("ImageJ=")) return undefined;
  const said = keyValues(description);
  const layout = await readLayout(file, first, signal);
  const planeBytes = packedRowBytes(layout) * layout.height * (layout.separate ? layout.samples : 1);
  const room = Math.floor((file.size - layout.offsets[0]!) / planeBytes);
  const images = positiveInteger(said.get("images")) ?? 1;
  const count = images > 1 ? await pages.count(signal) : 1;
  // A single directory for all planes: they follow the first, uncompressed.
  const contiguous = count === 1 && images > 1 && layout.compression === NONE;
  const available = contiguous ? Math.min(images, room) : Math.min(images, count);
  if (available < 1)
    throw new MicroscopyError(
      "truncated",
      `${file.uri}: expected ${images} images of ${planeBytes} bytes from byte ${layout.offsets[0]} on, found ${file.size} bytes in all`,
    );
  const short =
    available < images ? `ImageJ declares ${images} images, the file has ${available}` : undefined;
  if (short !== undefined) warnings.push(short);
  // Programs that forget to correct the number leave a whole chain of directories behind.
  const cutOff = contiguous || pages.warnings.length > 0 ? short : undefined;
  const { sizes, order, axes } = stackSizes(said, available, layout.samples, warnings);
  const names = await labelsOf(file, first, signal);
  const pixelSizeUm = await pixelSizeOf(file, first, said, sizes.z, signal);
  const info: Omit<SeriesInfo, "index"> = {
    ...infoOfIntensities(layout),
    sizes: { ...sizes, y: layout.height, x: layout.width, samples: layout.samples },
    axes: `${axes}YX${layout.samples > 1 ? "S" : ""}`,
    channels: Array.from({ length: sizes.c }, (_, c) => {
      // Labels are one for each image; they name channels where there is nothing else that they could tell apart.
      const name = names.length >= sizes.c && sizes.z * sizes.t === 1 ? names[c] : undefined;
      return name === undefined || name === "" ? {} : { name };
    }),
    ...(pixelSizeUm !== undefined && { pixelSizeUm, pixelSizeFrom: "imagej" }),
    levels: [{ width: layout.width, height: layout.height }],
  };
  return {
    info,
    ...(cutOff !== undefined && { cutOff }),
    async page(at, during) {
      const number = pageNumber(order, sizes, at);
      if (contiguous) return { file, ifd: first, layout, shift: number * planeBytes };
      const ifd = number === 0 ? first : ((await pages.at(number, during)) as Ifd);
      const own = number === 0 ? layout : await readLayout(file, ifd, during);
      mustMatch(own, layout, `${file.uri}, page ${number}`);
      return { file, ifd, layout: own, shift: 0 };
    },
  };
}

/** `key=value` lines. */
function keyValues(description: string): Map<string, string> {
  const said = new Map<string, string>();
  for (const line of description.split(/\r?\n/)) {
    const at = line.indexOf("=");
    if (at > 0) said.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return said;
}

function positiveInteger(text: string | undefined): number | undefined {
  const value = Number(text);
  return text !== undefined && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** Frames, slices and channels; images that they do not account for are frames. */
function stackSizes(
  said: ReadonlyMap<string, string>,
  images: number,
  samples: number,
  warnings: string[],
): { sizes: { t: number; c: number; z: number }; order: readonly PageAxis[]; axes: string } {
  let [t, z, c] = ["frames", "slices", "channels"].map((key) => positiveInteger(said.get(key)) ?? 1) as [
    number,
    number,
    number,
  ];
  // An RGB image may count its samples as channels.
  if (samples > 1 && c === samples && t * z * c > images) c = 1;
  if (t * z * c > images) {
    warnings.push(
      `ImageJ declares ${t} frames, ${z} slices and ${c} channels for ${images} images; they are numbered along t`,
    );
    [t, z, c] = [images, 1, 1];
  }
  const rest = Math.floor(images / (t * z * c));
  if (rest > 1) t *= rest;
  const sizes = { t, z, c };
  const axes = ORDER.filter((axis) => sizes[axis] > 1)
    .join("")
    .toUpperCase();
  return { sizes, order: ORDER, axes };
}

async function pixelSizeOf(
  file: TiffFile,
  ifd: Ifd,
  said: ReadonlyMap<string, string>,
  slices: number,
  signal: AbortSignal | undefined,
): Promise<PixelSizeUm | undefined> {
  const um = unitInUm(said.get("unit"));
  const [x, y] = [
    (await tagNumbers(file, ifd, 282, signal))?.[0],
    (await tagNumbers(file, ifd, 283, signal))?.[0],
  ];
  if (um === undefined || !isPositive(x) || !isPositive(y)) return undefined;
  const spacing = Number(said.get("spacing"));
  const yUm = unitInUm(said.get("yunit")) ?? um;
  return {
    x: um / x,
    y: yUm / y,
    ...(slices > 1 && isPositive(spacing) && { z: spacing * (unitInUm(said.get("zunit")) ?? um) }),
  };
}

/** Micrometres of a unit as ImageJ writes it (`\u00B5m` with a backslash), or undefined for pixels and the unknown. */
export function unitInUm(unit: string | undefined): number | undefined {
  const name = unit?.replace(/\\u([0-9a-f]{4})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  switch (name) {
    case "micron":
    case "microns":
    case "um":
    case "µm":
    case "μm":
    case "micrometer":
      return 1;
    case "nm":
      return 1e-3;
    case "mm":
      return 1e3;
    case "cm":
      return 1e4;
    case "m":
      return 1e6;
    case "inch":
    case "in":
      return 25_400;
    default:
      return undefined;
  }
}

/** Slice labels of ImageJ's own metadata (tags 50838 and 50839): UTF-16 in the byte order of the file. */
async function labelsOf(file: TiffFile, ifd: Ifd, signal: AbortSignal | undefined): Promise<string[]> {
  const counts = await tagNumbers(file, ifd, 50838, signal);
  const bytes = await tagBytes(file, ifd, 50839, signal);
  if (counts === undefined || bytes === undefined || counts.length < 2) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header = counts[0]!;
  let block = 1;
  let at = header;
  const labels: string[] = [];
  // The header is "IJIJ" and pairs of a type and a number of blocks.
  for (let i = 4; i + 8 <= Math.min(header, bytes.length); i += 8) {
    const type = String.fromCharCode(...[0, 1, 2, 3].map((k) => bytes[i + (file.littleEndian ? 3 - k : k)]!));
    const number = view.getUint32(i + 4, file.littleEndian);
    for (let k = 0; k < number && block < counts.length; k++, block++) {
      const size = counts[block]!;
      if (!(at + size <= bytes.length)) return labels;
      if (type === "labl")
        labels.push(
          new TextDecoder(file.littleEndian ? "utf-16le" : "utf-16be").decode(bytes.subarray(at, at + size)),
        );
      at += size;
    }
  }
  return labels;
}
