import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectStore } from "@cytomesh/object-store";
import type { Provenance, Segmenter } from "@cytomesh/segmentation";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { ImagingError } from "../../errors.ts";
import type { ReadLimits, SourceFile } from "../../schemas/convert.ts";
import type { ConvertOptions } from "../../schemas/options.ts";
import type { FieldSource } from "../inputs/fields.ts";
import { convertAllencell } from "./allencell.ts";
import { convertCells } from "./cells.ts";
import type { Raster } from "./crop.ts";
import { fieldOutput, type SheetEntry } from "./field-output.ts";
import { labelsUriOf } from "./names.ts";
import { type FieldImage, openFieldImage } from "./open-field.ts";
import { openLabels } from "./open-labels.ts";
import { type FileTally, storeSink, tarSink } from "./sink.ts";
import { giveBack } from "./spare-memory.ts";

/** Everything that converting a field needs; it runs in a worker thread. */
export interface ConvertInput extends FieldSource {
  /** Name of the field in file names. */
  readonly field: string;
  readonly options: ConvertOptions;
  readonly limits: ReadLimits;
  /** Where files go, when they are objects of their own. */
  readonly outputUri: string;
  /** Local folder that receives the field's part of the tables, and `files.tar` where crops are archived. */
  readonly outDir: string;
  /** Crops of this field for the contact sheet, at most. */
  readonly shown: number;
}

/** What was made of a field. */
export interface ConvertedField {
  readonly sha256: string;
  readonly sources?: readonly SourceFile[];
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly channelNames: readonly string[];
  readonly umPerPx: number;
  readonly crops: number;
  /** Side of the crops of the tables. */
  readonly cropSizePx: number;
  /** Objects found, before the small ones and those at the edge were left out. */
  readonly found: number;
  readonly files: FileTally;
  readonly provenance: Provenance | { readonly method: "none" };
  readonly labelsSha256: string;
  readonly warnings: readonly string[];
  readonly sheet: readonly SheetEntry[];
}

/** Name of the local part of a shard's archive. */
export const archivePart = "files.tar";

/**
 * Convert a field: read → project → segment → cut → write. The same file and options give the same bytes.
 *
 * @throws ImagingError, MicroscopyError, SegmentationError, ObjectStoreError.
 */
export async function convertField(
  input: ConvertInput,
  context: TaskContext,
  store: ObjectStore,
  segmenter?: Segmenter,
): Promise<ConvertedField> {
  const { options, limits, outDir } = input;
  await mkdir(outDir, { recursive: true });
  await using image = await openFieldImage(store, input, limits, context.signal);
  const planes = await readPlanes(image, options, limits, context);
  await using sink = options.outputs.archive
    ? tarSink(join(outDir, archivePart))
    : storeSink(store, input.outputUri, context.signal);
  const output = fieldOutput(sink, options, outDir, () => planes);
  let labelsSha256 = "";
  const labels = async () => {
    const found = await readLabels(store, input, options, limits, context);
    labelsSha256 = found.sha256;
    return found;
  };
  const field = {
    ...input,
    planes,
    channelNames: namesFor(image, options),
    umPerPx: options.sourceUmPerPx || image.umPerPx,
    saturation: options.outputs.saturationValue || image.maxValue,
  };
  const made =
    options.segmentation === undefined
      ? await convertAllencell(field, output, context)
      : await convertCells(field, output, context, {
          ...(options.segmentation.method === "labels" ? { labels } : {}),
          ...(segmenter === undefined ? {} : { segmenter }),
        });
  const { tally, sheet, crops, side } = await output.finish();
  for (const plane of planes) giveBack(plane.data);
  return {
    sha256: image.sha256,
    ...(image.sources && { sources: image.sources }),
    width: image.width,
    height: image.height,
    channels: planes.length,
    channelNames: field.channelNames,
    umPerPx: field.umPerPx,
    crops,
    cropSizePx: side,
    found: made.found,
    files: tally,
    provenance: made.provenance,
    labelsSha256,
    warnings: [...image.warnings, ...made.warnings],
    sheet,
  };
}

/** What a recipe works on. */
export interface FieldToConvert extends ConvertInput {
  readonly planes: readonly Raster[];
  readonly channelNames: readonly string[];
  /** Of the field; 0: not known. */
  readonly umPerPx: number;
  /** Grey level that counts as saturated. */
  readonly saturation: number;
}

/** Channels that a recipe's files must have. */
const recipeChannels = { generic: undefined, opencell: 2, allencell: 3 } as const;

async function readPlanes(
  image: FieldImage,
  options: ConvertOptions,
  limits: ReadLimits,
  context: TaskContext,
): Promise<Raster[]> {
  const wanted = recipeChannels[options.recipe];
  if (wanted !== undefined && image.channels !== wanted)
    throw new ImagingError(
      "wrong-axes",
      `${image.uri}: expected ${wanted} channels for ${options.recipe.toUpperCase()}, found ${image.channels}`,
    );
  const bytes = image.channels * image.width * image.height * 2;
  if (bytes > limits.maxFieldBytes)
    throw new ImagingError(
      "too-large",
      `${image.uri}: expected at most ${limits.maxFieldBytes} bytes of pixels, found ${bytes}; CYTOMESH_MAX_FIELD_BYTES sets the limit`,
    );
  if (options.nucleusChannel >= image.channels)
    throw new ImagingError(
      "no-such-channel",
      `${image.uri}: channel ${options.nucleusChannel} is asked for, but the file has ${image.channels}, counted from 0`,
    );
  const planes: Raster[] = [];
  for (let channel = 0; channel < image.channels; channel++) {
    planes.push(await image.channel(channel, options.projection));
    await context.breathe();
  }
  return planes;
}

async function readLabels(
  store: ObjectStore,
  { uri, channels }: FieldSource,
  options: ConvertOptions,
  limits: ReadLimits,
  context: TaskContext,
) {
  const pattern = options.segmentation?.method === "labels" ? options.segmentation.pattern : "";
  return openLabels(store, labelsUriOf(pattern, uri, channels !== undefined), limits, context.signal);
}

function namesFor(image: FieldImage, options: ConvertOptions): string[] {
  const named = options.channelNames.length > 0 ? options.channelNames : image.channelNames;
  return Array.from({ length: image.channels }, (_, c) => named[c] ?? `c${c}`);
}
