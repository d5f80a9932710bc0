import { type Measured, measureSampled, type Segmentation } from "@cytomesh/segmentation";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { ImagingError } from "../../errors.ts";
import type { CropSet } from "../../schemas/options.ts";
import { nameOf } from "../inputs/find-files.ts";
import { csvLine } from "../tables/csv.ts";
import type { FieldToConvert } from "./convert-field.ts";
import { type CropWindow, cropWindow, type Raster } from "./crop.ts";
import { cutPixels, encoderOver } from "./crop-pixels.ts";
import type { FieldOutput } from "./field-output.ts";
import { keptArea, otherMask, ownMask } from "./masks.ts";
import { cropNameOf } from "./names.ts";
import { checkResized, resizeLinear, sampledFrom } from "./pixel-ops.ts";
import { maxOf, qualityOf } from "./quality.ts";
import { type SegmentationTools, type SegmentedField, segmentField } from "./segment-field.ts";
import { giveBack } from "./spare-memory.ts";
import { chosen } from "./thumbnail.ts";

/** Side of a crop, at most. */
const largestCropPx = 16_384;

/** An image that crops are cut from: the field as it is, or resized. */
interface Cuttable {
  readonly planes: readonly Raster[];
  readonly width: number;
  readonly height: number;
  /** Rows and columns of the field as it was segmented that this image's are taken from. */
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  /** Where the nuclei are in this image, by label. */
  readonly nuclei: readonly Measured[];
  readonly umPerPx: number;
}

/** Segment a field and cut out every nucleus, once for each set of crops. The tables are about the last set. */
export async function convertCells(
  field: FieldToConvert,
  output: FieldOutput,
  context: TaskContext,
  tools: SegmentationTools,
) {
  const { options, planes } = field;
  const nucleus = planes[options.nucleusChannel] as Raster;
  const minAreaPx =
    "px" in options.minArea
      ? options.minArea.px
      : options.minArea.um2 / pixelSize(field, "the smallest area in µm²") ** 2;
  const segmented = await segmentField(nucleus, options, minAreaPx, tools, field.uri, context);
  const { all, kept } = segmented;
  await context.breathe();
  const original = asSegmented(field, kept);
  const resized = options.cropSets.some((set) => set.resized)
    ? await resize(field, original, kept.labels, context)
    : original;
  const last = options.cropSets.at(-1) as CropSet;
  try {
    for (const set of options.cropSets)
      await cutSet(field, set, set.resized ? resized : original, segmented, output, context, set === last);
  } finally {
    if (resized !== original) for (const plane of resized.planes) giveBack(plane.data);
  }
  if (options.recipe === "opencell") opencellLines(field, original, resized, output);
  const { provenance, warnings } = all;
  giveBack(all.labels);
  giveBack(kept.labels);
  return { found: all.instances.length, provenance, warnings };
}

function asSegmented(field: FieldToConvert, kept: Segmentation): Cuttable {
  const { width, height } = kept;
  return {
    planes: field.planes,
    width,
    height,
    rows: sampledFrom(height, 1),
    columns: sampledFrom(width, 1),
    nuclei: kept.instances,
    umPerPx: field.umPerPx,
  };
}

/** @throws ImagingError `too-large`; `label-vanished` when a nucleus has no pixel left. */
async function resize(
  field: FieldToConvert,
  from: Cuttable,
  labels: Int32Array,
  context: TaskContext,
): Promise<Cuttable> {
  const target = field.options.targetUmPerPx;
  const factor = pixelSize(field, "resizing") / target;
  checkResized(field, factor);
  const planes: Raster[] = [];
  for (const plane of from.planes) {
    planes.push(resizeLinear(plane, factor));
    await context.breathe();
  }
  const [rows, columns] = [sampledFrom(from.height, factor), sampledFrom(from.width, factor)];
  const count = from.nuclei.length;
  const nuclei = measureSampled(labels, from.width, from.height, rows, columns, count);
  if (nuclei.length !== from.nuclei.length) {
    const left = new Set(nuclei.map(({ label }) => label));
    const gone = from.nuclei.filter(({ label }) => !left.has(label)).map(({ label }) => label);
    throw new ImagingError(
      "label-vanished",
      `${field.uri}: expected every nucleus to have pixels after resizing by ${factor}, found none of label ${gone.slice(0, 10).join(", ")}; raise the smallest area, or resize less`,
    );
  }
  return {
    planes,
    width: columns.length,
    height: rows.length,
    rows,
    columns,
    nuclei,
    umPerPx: target,
  };
}

async function cutSet(
  field: FieldToConvert,
  set: CropSet,
  image: Cuttable,
  segmented: SegmentedField,
  output: FieldOutput,
  context: TaskContext,
  tabled: boolean,
): Promise<void> {
  const { options } = field;
  const { all, kept } = segmented;
  const size =
    "px" in set.size
      ? set.size.px
      : Math.max(
          1,
          Math.round(set.size.um / (set.resized ? image.umPerPx : pixelSize(field, "crops in µm"))),
        );
  if (size > largestCropPx)
    throw new ImagingError(
      "too-large",
      `${field.uri}: expected crops of at most ${largestCropPx} px, found ${size}`,
    );
  const shown = new Set(tabled ? chosen(image.nuclei.length, field.shown) : []);
  const { masking, maskDilationPx, maskPng, h5sc } = options.outputs;
  const needMasks = masking !== "none" || maskPng || (tabled && h5sc);
  const neighbours = (at: Cuttable, nucleus: Measured) => ({
    label: labelAmong(all, kept, nucleus),
    all,
    rows: at.rows,
    columns: at.columns,
  });
  const { combinedPng, channelPng, compressionLevel } = options.outputs;
  const windows = image.nuclei.map((nucleus) => cropWindow(nucleus, size));
  // Masked crops and those of a higher level are cut out.
  const encoded = (combinedPng || channelPng) && compressionLevel <= 1 && masking === "none";
  using encoder = encoded ? encoderOver(image.planes, windows) : undefined;
  // Resizing makes nothing brighter, and the field has fewer pixels.
  const measured = tabled
    ? image.planes.map((plane, c) => ({ ...plane, max: maxOf(field.planes[c] as Raster) }))
    : [];
  for (const [i, nucleus] of image.nuclei.entries()) {
    const { label } = nucleus;
    const window = windows[i] as CropWindow;
    // Masks cost as much as cutting: they are made where somebody asks for them.
    const masked = needMasks ? masksOf(image, segmented, label, window) : undefined;
    const area =
      masked === undefined || masking === "none"
        ? undefined
        : keptArea(masking, masked.own, masked.others, size, maskDilationPx);
    const path = `${set.folder}/${cropNameOf(field.field, label, options.recipe)}${set.suffix}`;
    const cut = {
      path,
      width: size,
      height: size,
      pixels: cutPixels(image.planes, window, encoder, area),
      channelNames: field.channelNames,
      umPerPx: image.umPerPx,
      ...(masked === undefined ? {} : { own: masked.own }),
      nucleus: { image: { ...kept, rows: image.rows, columns: image.columns }, window, label },
    };
    const instance = kept.instances[i];
    if (!tabled || instance === undefined) await output.image(cut);
    else {
      const atBorder =
        instance.minY === 0 ||
        instance.minX === 0 ||
        instance.maxY === kept.height ||
        instance.maxX === kept.width;
      const { provenance } = kept;
      await output.cell(
        cut,
        {
          fieldUri: field.uri,
          field: field.field,
          crop: path,
          instance,
          centre: { y: Math.trunc(nucleus.centroidY), x: Math.trunc(nucleus.centroidX) },
          sizePx: size,
          cropUmPerPx: image.umPerPx,
          fieldUmPerPx: field.umPerPx,
          quality: qualityOf(window, neighbours(image, instance), measured, field.saturation, atBorder),
          channels: image.planes.length,
          segmentation: provenance.method,
          modelSha256: provenance.method === "stardist" ? provenance.modelSha256 : "",
        },
        shown.has(i),
      );
    }
    await context.breathe();
  }
}

/** What a kept nucleus is called among everything segmented. */
function labelAmong(all: Segmentation, kept: Segmentation, { label, minX, minY }: Measured): number {
  let at = minY * kept.width + minX;
  while (kept.labels[at] !== label) at += 1;
  return all.labels[at] as number;
}

/** Where the nucleus of a crop is, and where others are. */
function masksOf(
  { rows, columns }: Cuttable,
  { all, kept }: SegmentedField,
  label: number,
  window: CropWindow,
) {
  const { labels, width } = kept;
  const own = ownMask({ labels, width, rows, columns }, window, label);
  return { own, others: () => otherMask({ labels: all.labels, width, rows, columns }, window, own) };
}

/** The lines of the published `metadata.csv`; a field without nuclei leaves an empty one there, here by option. */
function opencellLines(
  field: FieldToConvert,
  original: Cuttable,
  resized: Cuttable,
  output: FieldOutput,
): void {
  if (original.nuclei.length === 0 && field.options.outputs.blankLines) output.metadata("\n");
  for (const [i, nucleus] of original.nuclei.entries()) {
    const after = resized.nuclei[i] as Measured;
    const name = cropNameOf(field.field, nucleus.label, "opencell");
    output.metadata(
      csvLine([
        nameOf(field.uri),
        nucleus.label,
        original.width,
        original.height,
        Math.trunc(nucleus.centroidX),
        Math.trunc(nucleus.centroidY),
        nucleus.areaPx,
        `${name}_resized.png`,
        resized.width,
        resized.height,
        Math.trunc(after.centroidX),
        Math.trunc(after.centroidY),
        after.areaPx,
      ]),
    );
  }
}

function pixelSize(field: FieldToConvert, what: string): number {
  if (field.umPerPx > 0) return field.umPerPx;
  throw new ImagingError(
    "no-pixel-size",
    `${field.uri}: ${what} needs the pixel size, which the file does not give; set scale.source_um_per_px (--pixel-size)`,
  );
}
