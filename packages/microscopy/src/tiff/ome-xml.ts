import { MicroscopyError } from "../errors.ts";
import type { ChannelInfo, PixelSizeUm, ReadLimits } from "../types.ts";
import { type Element, parseXml } from "./xml.ts";

/** An image of OME-XML. */
export interface OmeImage {
  readonly name?: string;
  readonly sizes: {
    readonly t: number;
    readonly c: number;
    readonly z: number;
    readonly y: number;
    readonly x: number;
  };
  /** Fastest axis of planes first, e.g. `["z", "c", "t"]`. */
  readonly order: readonly ("t" | "c" | "z")[];
  /** Samples of each plane (RGB: 3); `sizes.c` counts planes. */
  readonly samples: number;
  readonly channels: readonly ChannelInfo[];
  readonly pixelSizeUm?: PixelSizeUm;
  readonly type: string;
  readonly significantBits?: number;
  readonly planes: readonly TiffData[];
}

/** Planes from `first` on are the pages from `ifd` on of a file; `count` 0: as many as it has. */
export interface TiffData {
  readonly ifd: number;
  readonly count: number;
  readonly first: { readonly t: number; readonly c: number; readonly z: number };
  readonly fileName?: string;
  readonly uuid?: string;
}

export interface OmeDocument {
  readonly uuid?: string;
  /** The file that has the metadata, when this one has only a pointer to it. */
  readonly metadataFile?: string;
  readonly images: readonly OmeImage[];
  readonly warnings: readonly string[];
}

/** @throws MicroscopyError `too-large`, `invalid-metadata`. */
export function parseOmeXml(xml: string, limits: ReadLimits, where: string): OmeDocument {
  const root = parseXml(xml, limits, where);
  if (root.name !== "OME")
    throw new MicroscopyError(
      "invalid-metadata",
      `${where}: expected OME-XML, found <${root.name.slice(0, 80)}>`,
    );
  const warnings: string[] = [];
  const { UUID: uuid } = root.attributes;
  const metadataFile = child(root, "BinaryOnly")?.attributes.MetadataFile;
  const images = root.children
    .filter(({ name }) => name === "Image")
    .flatMap((image, i) => imageOf(image, limits, `${where}, image ${i}`, warnings));
  return {
    ...(uuid !== undefined && { uuid }),
    ...(metadataFile !== undefined && { metadataFile }),
    images,
    warnings,
  };
}

function imageOf(image: Element, limits: ReadLimits, where: string, warnings: string[]): OmeImage[] {
  const pixels = child(image, "Pixels");
  if (pixels === undefined) {
    warnings.push(`${where}: no Pixels`);
    return [];
  }
  const size = (axis: string) => integer(pixels, `Size${axis}`, where);
  const sizes = { t: size("T"), c: size("C"), z: size("Z"), y: size("Y"), x: size("X") };
  const elements = pixels.children.filter(({ name }) => name === "Channel");
  const { samples, count } = channelPlanes(elements, sizes.c, where, warnings);
  if (sizes.t * count * sizes.z > limits.maxPages)
    throw new MicroscopyError(
      "too-large",
      `${where}: ${sizes.t * count * sizes.z} planes, the limit is ${limits.maxPages}`,
    );
  const channels = Array.from({ length: count }, (_, c) => (elements[c] ? channelOf(elements[c]) : {}));
  const pixelSizeUm = physicalSize(pixels, where, warnings);
  const significantBits = Number(pixels.attributes.SignificantBits);
  const name = image.attributes.Name;
  return [
    {
      ...(name !== undefined && name !== "" && { name }),
      sizes: { ...sizes, c: count },
      order: orderOf(pixels.attributes.DimensionOrder, where),
      samples,
      channels,
      ...(pixelSizeUm !== undefined && { pixelSizeUm }),
      type: pixels.attributes.Type ?? pixels.attributes.PixelType ?? "",
      ...(Number.isInteger(significantBits) && significantBits > 0 && { significantBits }),
      planes: pixels.children
        .filter((element) => element.name === "TiffData")
        .map((data) => tiffData(data, where)),
    },
  ];
}

/** How many planes a channel axis has: SizeC counts samples, RGB channels have three. */
function channelPlanes(
  elements: readonly Element[],
  sizeC: number,
  where: string,
  warnings: string[],
): { samples: number; count: number } {
  const samples = Number(elements[0]?.attributes.SamplesPerPixel ?? 1);
  if (!Number.isInteger(samples) || samples < 1) {
    warnings.push(`${where}: SamplesPerPixel is ${elements[0]?.attributes.SamplesPerPixel}, taken as 1`);
    return { samples: 1, count: sizeC };
  }
  if (elements.some(({ attributes }) => Number(attributes.SamplesPerPixel ?? 1) !== samples))
    throw new MicroscopyError(
      "invalid-metadata",
      `${where}: channels of different SamplesPerPixel are not read here`,
    );
  if (sizeC % samples !== 0) {
    warnings.push(
      `${where}: SizeC ${sizeC} is no multiple of SamplesPerPixel ${samples}; taken as ${sizeC} channels`,
    );
    return { samples: 1, count: sizeC };
  }
  const count = sizeC / samples;
  if (elements.length > 0 && elements.length !== count)
    warnings.push(`${where}: SizeC means ${count} channels, ${elements.length} are described`);
  return { samples, count };
}

function channelOf({ attributes }: Element): ChannelInfo {
  const name = attributes.Name ?? attributes.Fluor;
  const nm = (key: "Excitation" | "Emission") => {
    const value = Number(attributes[`${key}Wavelength`]);
    const unit = unitUm(attributes[`${key}WavelengthUnit`] ?? "nm");
    return value > 0 && unit !== undefined ? value * unit * 1_000 : undefined;
  };
  const [excitationNm, emissionNm] = [nm("Excitation"), nm("Emission")];
  const color = colorOf(attributes.Color);
  return {
    ...(name !== undefined && name !== "" && { name }),
    ...(color !== undefined && { color }),
    ...(excitationNm !== undefined && { excitationNm }),
    ...(emissionNm !== undefined && { emissionNm }),
  };
}

/** A signed 32-bit RGBA number → `#rrggbb`. -1, white, is the default of the schema and says nothing. */
function colorOf(text: string | undefined): string | undefined {
  const value = Number(text);
  if (text === undefined || !Number.isInteger(value) || value === -1) return undefined;
  return `#${((value >>> 8) & 0xffffff).toString(16).padStart(6, "0")}`;
}

function physicalSize(pixels: Element, where: string, warnings: string[]): PixelSizeUm | undefined {
  const um = (axis: "X" | "Y" | "Z"): number | undefined => {
    const text = pixels.attributes[`PhysicalSize${axis}`];
    if (text === undefined) return undefined;
    const unit = pixels.attributes[`PhysicalSize${axis}Unit`] ?? "µm";
    const factor = unitUm(unit);
    const value = Number(text);
    if (factor === undefined)
      warnings.push(`${where}: PhysicalSize${axis} is in ${unit}, which is no length that is known here`);
    return factor !== undefined && value > 0 && Number.isFinite(value) ? value * factor : undefined;
  };
  const [x, y, z] = [um("X"), um("Y"), um("Z")];
  return x === undefined || y === undefined ? undefined : { x, y, ...(z !== undefined && { z }) };
}

/** Micrometres of a unit of OME's UnitsLength. */
export function unitUm(unit: string): number | undefined {
  const prefixes: Readonly<Record<string, number>> = {
    pm: 1e-6,
    Å: 1e-4,
    "\u212b": 1e-4,
    nm: 1e-3,
    µm: 1,
    μm: 1,
    um: 1,
    mm: 1e3,
    cm: 1e4,
    dm: 1e5,
    m: 1e6,
    km: 1e9,
    in: 25_400,
    ft: 304_800,
    yd: 914_400,
    mi: 1.609344e9,
    thou: 25.4,
    li: 25_400 / 12,
    pt: 25_400 / 72,
    angstrom: 1e-4,
    nanometer: 1e-3,
    micrometer: 1,
    millimeter: 1e3,
    centimeter: 1e4,
    meter: 1e6,
  };
  return prefixes[unit];
}

function orderOf(order: string | undefined, where: string): OmeImage["order"] {
  const text = order ?? "XYZCT";
  const axes = Array.from(text.slice(2).toLowerCase());
  if (
    !text.startsWith("XY") ||
    axes.length !== 3 ||
    new Set(axes).size !== 3 ||
    !axes.every((a) => "tcz".includes(a))
  )
    throw new MicroscopyError("invalid-metadata", `${where}: DimensionOrder ${text.slice(0, 20)}`);
  return axes as unknown as OmeImage["order"];
}

function tiffData(data: Element, where: string): TiffData {
  const at = (key: string, otherwise: number) => {
    const text = data.attributes[key];
    const value = text === undefined ? otherwise : Number(text);
    if (!Number.isInteger(value) || value < 0)
      throw new MicroscopyError("invalid-metadata", `${where}: TiffData with ${key} "${text?.slice(0, 20)}"`);
    return value;
  };
  const uuid = child(data, "UUID");
  const fileName = uuid?.attributes.FileName;
  return {
    ifd: at("IFD", 0),
    count: at("PlaneCount", at("NumPlanes", data.attributes.IFD === undefined ? 0 : 1)),
    first: { t: at("FirstT", 0), c: at("FirstC", 0), z: at("FirstZ", 0) },
    ...(fileName !== undefined && { fileName }),
    ...(uuid !== undefined && uuid.text.trim() !== "" && { uuid: uuid.text.trim() }),
  };
}

function integer(element: Element, key: string, where: string): number {
  const value = Number(element.attributes[key]);
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31)
    throw new MicroscopyError(
      "invalid-metadata",
      `${where}: ${key} is "${element.attributes[key]?.slice(0, 20)}", expected 1 or more`,
    );
  return value;
}

function child(element: Element, name: string): Element | undefined {
  return element.children.find((one) => one.name === name);
}
