import type { SourceOpener } from "../bytes/source.ts";
import { MicroscopyError } from "../errors.ts";
import type { PixelType } from "../pixels.ts";
import type { ByteSource, ReadLimits, SeriesInfo } from "../types.ts";
import { subIfd } from "./generic-series.ts";
import { type Ifd, readIfd, tagText } from "./ifd.ts";
import type { PageLayout } from "./layout.ts";
import { createMembers, openBeside, type TiffMember } from "./members.ts";
import { type OmeDocument, type OmeImage, parseOmeXml } from "./ome-xml.ts";
import {
  infoOfIntensities,
  mustMatch,
  pageNumber,
  readLayout,
  type SeriesSource,
  subIfdOffsets,
} from "./series.ts";

/** What is at hand while the series of an OME image are made. */
interface OmeContext {
  readonly uri: string;
  /** The TIFF that was opened; none where it was a companion file. */
  readonly own: TiffMember | undefined;
  readonly ownName: string;
  readonly document: OmeDocument;
  readonly open: (name: string, signal: AbortSignal | undefined) => Promise<TiffMember>;
  readonly warnings: string[];
}

/**
 * The series of an OME-TIFF. Undefined when the first page has no OME-XML; also, with a warning, when that XML is damaged: the pixels
 * are then read as plain pages.
 */
export async function omeSeries(
  own: TiffMember,
  opener: SourceOpener,
  limits: ReadLimits,
  warnings: string[],
  signal: AbortSignal | undefined,
): Promise<SeriesSource[] | undefined> {
  const { file, pages } = own;
  const xml = await tagText(file, (await pages.at(0, signal)) as Ifd, 270, signal);
  if (xml === undefined || !/<(\w+:)?OME[\s>]/.test(xml.slice(0, 4_096))) return undefined;
  let document: OmeDocument;
  try {
    document = parseOmeXml(xml, limits, file.uri);
    if (document.metadataFile !== undefined)
      document = await pointedTo(file.uri, document.metadataFile, opener, limits, signal);
  } catch (error) {
    if (!(error instanceof MicroscopyError) || error.tag !== "invalid-metadata") throw error;
    warnings.push(`its OME-XML is not used: ${error.message}`);
    return undefined;
  }
  return seriesOf(file.uri, own, document, opener, limits, warnings, signal);
}

/** The series of a companion file: OME-XML that lies beside its TIFFs. Undefined when the source is no OME-XML. */
export async function companionSeries(
  source: ByteSource,
  opener: SourceOpener,
  limits: ReadLimits,
  warnings: string[],
  signal: AbortSignal | undefined,
): Promise<SeriesSource[] | undefined> {
  const start = Buffer.from(await source.read(0, Math.min(source.size, 4_096), signal)).toString();
  if (!/^\uFEFF?\s*</.test(start) || !/<(\w+:)?OME[\s>]/.test(start)) return undefined;
  const document = await readDocument(source, limits, signal);
  return seriesOf(source.uri, undefined, document, opener, limits, warnings, signal);
}

async function pointedTo(
  uri: string,
  name: string,
  opener: SourceOpener,
  limits: ReadLimits,
  signal: AbortSignal | undefined,
): Promise<OmeDocument> {
  await using source = await openBeside(uri, name, opener, signal);
  return readDocument(source, limits, signal);
}

async function readDocument(
  source: ByteSource,
  limits: ReadLimits,
  signal: AbortSignal | undefined,
): Promise<OmeDocument> {
  if (source.size > limits.maxXmlBytes)
    throw new MicroscopyError(
      "too-large",
      `${source.uri}: XML of ${source.size} bytes, the limit is ${limits.maxXmlBytes}`,
    );
  const bytes = await source.read(0, source.size, signal);
  return parseOmeXml(
    Buffer.from(bytes)
      .toString()
      .replace(/^\uFEFF/, ""),
    limits,
    source.uri,
  );
}

async function seriesOf(
  uri: string,
  own: TiffMember | undefined,
  document: OmeDocument,
  opener: SourceOpener,
  limits: ReadLimits,
  warnings: string[],
  signal: AbortSignal | undefined,
): Promise<SeriesSource[]> {
  warnings.push(...document.warnings);
  const members = createMembers(uri, opener, limits);
  const context: OmeContext = {
    uri,
    own,
    ownName: decodeURIComponentSafe(uri.slice(uri.lastIndexOf("/") + 1)),
    document,
    open: members.open,
    warnings,
  };
  const series: SeriesSource[] = [];
  let implied = 0;
  for (const image of document.images) {
    if (own === undefined && image.planes.length === 0) {
      warnings.push(`${uri}: image ${image.name ?? ""} has metadata only`);
      continue;
    }
    const map = mapPlanes(context, image, implied);
    if (image.planes.length === 0) implied += map.ifds.length;
    series.push(await oneSeries(context, image, map, signal));
  }
  if (series.length === 0)
    throw new MicroscopyError("invalid-metadata", `${uri}: OME-XML that describes no pixels`);
  return series;
}

/** For each plane, in DimensionOrder, its file and the number of its page; -1 where nothing is said. */
interface PlaneMap {
  readonly names: readonly (string | undefined)[];
  readonly files: Int32Array;
  readonly ifds: Int32Array;
}

function mapPlanes(
  { uri, own, ownName, document, warnings }: OmeContext,
  image: OmeImage,
  implied: number,
): PlaneMap {
  const { sizes, order } = image;
  const count = sizes.t * sizes.c * sizes.z;
  const names: (string | undefined)[] = [undefined];
  const numbers = new Map<string, number>();
  const files = new Int32Array(count).fill(-1);
  const ifds = new Int32Array(count).fill(-1);
  const slowestFirst = [...order].reverse();
  const fileOf = (name: string | undefined, uuid: string | undefined): number => {
    const isOwn = name === undefined || name === ownName || (uuid !== undefined && uuid === document.uuid);
    if (own !== undefined && isOwn) return 0;
    if (name === undefined) return -1;
    let number = numbers.get(name);
    if (number === undefined) {
      number = names.length;
      names.push(name);
      numbers.set(name, number);
    }
    return number;
  };
  const data =
    image.planes.length > 0 ? image.planes : [{ ifd: implied, count: 0, first: { t: 0, c: 0, z: 0 } }];
  let outside = 0;
  for (const { ifd, count: planes, first, ...file } of data) {
    if (first.t >= sizes.t || first.c >= sizes.c || first.z >= sizes.z) {
      outside++;
      continue;
    }
    const number = fileOf(
      "fileName" in file ? file.fileName : undefined,
      "uuid" in file ? file.uuid : undefined,
    );
    const from = pageNumber(slowestFirst, sizes, first);
    const end = planes === 0 ? count : Math.min(count, from + planes);
    for (let i = from; i < end; i++) {
      files[i] = number;
      ifds[i] = ifd + i - from;
    }
  }
  if (outside > 0)
    warnings.push(`${uri}: ${outside} TiffData begin outside of ${sizes.t} × ${sizes.c} × ${sizes.z} planes`);
  return { names, files, ifds };
}

async function oneSeries(
  context: OmeContext,
  said: OmeImage,
  map: PlaneMap,
  signal: AbortSignal | undefined,
): Promise<SeriesSource> {
  const { uri, warnings } = context;
  const found = await firstPage(context, map, signal);
  const layout = await readLayout(found.member.file, found.ifd, signal);
  const image = fitted(said, layout, uri, warnings);
  if (found.member === context.own && !found.member.file.blocks.source.remote)
    await warnOfMissing(context, map, found.member, signal);
  const { sizes, order } = image;
  const slowestFirst = [...order].reverse();
  const levels = await levelsOf(found.member, found.ifd, layout, signal);
  const info: Omit<SeriesInfo, "index"> = {
    ...(image.name !== undefined && { name: image.name }),
    ...infoOfIntensities(layout),
    ...(image.significantBits !== undefined &&
      image.significantBits < layout.bits && { significantBits: image.significantBits }),
    sizes: { t: sizes.t, c: sizes.c, z: sizes.z, y: layout.height, x: layout.width, samples: layout.samples },
    axes: `${slowestFirst.join("").toUpperCase()}YX${layout.samples > 1 ? "S" : ""}`,
    channels: image.channels,
    ...(image.pixelSizeUm !== undefined && { pixelSizeUm: image.pixelSizeUm, pixelSizeFrom: "ome" }),
    levels: [layout, ...levels].map(({ width, height }) => ({ width, height })),
  };
  return {
    info,
    otherFiles: map.files.some((file) => file > 0),
    async page(at, during) {
      const number = pageNumber(slowestFirst, sizes, at);
      const where = `${uri}: plane t ${at.t}, c ${at.c}, z ${at.z}`;
      const { member, ifd } = await pageOf(context, map, number, where, during);
      if (at.level > 0) {
        const small = await subIfd(member.file, ifd, at.level, during);
        return {
          file: member.file,
          ifd: small,
          layout: await readLayout(member.file, small, during),
          shift: 0,
        };
      }
      const own = await readLayout(member.file, ifd, during);
      mustMatch(own, layout, where);
      return { file: member.file, ifd, layout: own, shift: 0 };
    },
  };
}

async function pageOf(
  context: OmeContext,
  map: PlaneMap,
  number: number,
  where: string,
  signal: AbortSignal | undefined,
): Promise<{ member: TiffMember; ifd: Ifd }> {
  const file = map.files[number] ?? -1;
  if (file < 0)
    throw new MicroscopyError("missing-plane", `${where}: its OME-XML says of no page that it is this plane`);
  const name = map.names[file];
  const member =
    file === 0 && context.own !== undefined ? context.own : await context.open(name as string, signal);
  const ifd = await member.pages.at(map.ifds[number]!, signal);
  if (ifd !== undefined) return { member, ifd };
  throw new MicroscopyError(
    "missing-plane",
    `${where}: expected page ${map.ifds[number]} of ${member.file.uri}, which has ${await member.pages.count(signal)}`,
  );
}

/** Files that are looked for before the image is given up. */
const TRIED = 16;

/** A page that is there: of the file at hand if possible. */
async function firstPage(
  context: OmeContext,
  map: PlaneMap,
  signal: AbortSignal | undefined,
): Promise<{ member: TiffMember; ifd: Ifd }> {
  const own = context.own === undefined ? -1 : map.files.indexOf(0);
  const numbers = new Set([
    ...(own >= 0 ? [own] : []),
    ...map.names.keys().map((file) => map.files.indexOf(file)),
  ]);
  let failure: unknown;
  let tried = 0;
  for (const number of numbers) {
    if (number < 0 || tried++ >= TRIED) continue;
    try {
      return await pageOf(context, map, number, `${context.uri}: plane ${number}`, signal);
    } catch (error) {
      const absent =
        error instanceof MicroscopyError &&
        ["missing-file", "missing-plane", "refused-reference"].includes(error.tag);
      if (!absent) throw error;
      failure ??= error;
    }
  }
  throw failure ?? new MicroscopyError("invalid-metadata", `${context.uri}: OME-XML that leads to no page`);
}

/** What OME calls the types of pixels that are read; of the others the pages say enough. */
const pixelTypes: Readonly<Record<string, PixelType>> = {
  int8: "int8",
  int16: "int16",
  int32: "int32",
  uint8: "uint8",
  uint16: "uint16",
  uint32: "uint32",
  float: "float32",
  double: "float64",
};

/** The sizes and types of the pages count, where the metadata say something else. */
function fitted(image: OmeImage, layout: PageLayout, uri: string, warnings: string[]): OmeImage {
  if (image.sizes.x !== layout.width || image.sizes.y !== layout.height)
    warnings.push(
      `${uri}: OME-XML says ${image.sizes.x} × ${image.sizes.y} pixels, its pages have ${layout.width} × ${layout.height}`,
    );
  const type = pixelTypes[image.type.toLowerCase()] ?? layout.pixelType;
  if (type !== layout.pixelType)
    warnings.push(`${uri}: OME-XML says ${image.type} pixels, its pages have ${layout.pixelType}`);
  if (image.samples === layout.samples) return image;
  const total = image.sizes.c * image.samples;
  warnings.push(`${uri}: OME-XML says ${image.samples} samples per pixel, its pages have ${layout.samples}`);
  // SamplesPerPixel was forgotten: SizeC counts the samples.
  if (total % layout.samples !== 0 || image.samples !== 1) return image;
  const c = total / layout.samples;
  return {
    ...image,
    samples: layout.samples,
    sizes: { ...image.sizes, c },
    channels: image.channels.slice(0, c),
  };
}

async function warnOfMissing(
  { uri, warnings }: OmeContext,
  map: PlaneMap,
  own: TiffMember,
  signal: AbortSignal | undefined,
): Promise<void> {
  const pages = await own.pages.count(signal);
  const missing = map.files.reduce(
    (sum, file, i) => sum + (file < 0 || (file === 0 && map.ifds[i]! >= pages) ? 1 : 0),
    0,
  );
  if (missing > 0)
    warnings.push(
      `${uri}: OME-XML describes ${map.files.length} planes, ${missing} of them are not there (${pages} pages)`,
    );
}

/** SubIFDs that are smaller copies. */
async function levelsOf(
  member: TiffMember,
  ifd: Ifd,
  layout: PageLayout,
  signal: AbortSignal | undefined,
): Promise<PageLayout[]> {
  const levels: PageLayout[] = [];
  for (const offset of await subIfdOffsets(member.file, ifd, signal)) {
    const level = await readLayout(member.file, await readIfd(member.file, offset, signal), signal);
    if (level.width > layout.width || level.height > layout.height || level.pixelType !== layout.pixelType)
      break;
    levels.push(level);
  }
  return levels;
}

function decodeURIComponentSafe(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
