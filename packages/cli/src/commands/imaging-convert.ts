import { create, toJson } from "@bufbuild/protobuf";
import {
  BorderRule,
  ConversionRecipe,
  CropMasking,
  CropOutputsSchema,
  PixelScaleSchema,
  Projection,
  SegmentationMethod,
  SegmentationOptionsSchema,
} from "@cytomesh/contracts/jobs/v1/imaging";
import { type ConvertFieldsSpec, ConvertFieldsSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { toUri } from "@cytomesh/object-store";
import {
  choiceOption,
  defineCommand,
  integerOption,
  jobOptions,
  numberOption,
  pairsOption,
} from "../command.ts";
import { readRequestFile } from "../request-file.ts";
import { formatCount, placeLines } from "../terminal/text.ts";
import { applyFiles, channelPatternOption, fileOptions, needFiles } from "./imaging-files.ts";
import { submit } from "./submit.ts";

const recipes = {
  generic: ConversionRecipe.GENERIC,
  opencell: ConversionRecipe.OPENCELL,
  allencell: ConversionRecipe.ALLENCELL,
};

const outputFlags = {
  combined: "combinedPng",
  channels: "channelPng",
  "path-list": "pathList",
  masks: "maskPng",
  "ome-tiff": "omeTiff",
  "ome-zarr": "omeZarr",
  h5sc: "h5sc",
} as const;

/** `cytomesh imaging convert` */
export const convert = defineCommand({
  name: "imaging convert",
  usage: "imaging convert [FILE…] [--prefix URI --pattern GLOB] --output URI",
  positionals: Number.POSITIVE_INFINITY,
  options: {
    ...jobOptions,
    ...fileOptions,
    recipe: { type: "string", value: "NAME", help: "generic (the default), opencell or allencell" },
    "nucleus-channel": { type: "string", value: "N", help: "channel that shows nuclei, from 0 (0)" },
    channel: { type: "string", multiple: true, value: "NAME", help: "name of a channel, in order" },
    "channel-pattern": channelPatternOption,
    size: { type: "string", value: "SIDE", help: "side of the crops: pixels, or µm as 30um (256)" },
    "min-area": { type: "string", value: "AREA", help: "smallest nucleus: pixels, or µm² as 50um2 (100)" },
    border: { type: "string", value: "RULE", help: "nuclei at the edge: drop (the default) or keep" },
    method: {
      type: "string",
      value: "HOW",
      help: "classical, stardist or labels; default: by what is given",
    },
    model: { type: "string", value: "URI", help: "StarDist model made by imaging import-model" },
    "model-sha256": { type: "string", value: "HEX", help: "what the model must hash to" },
    "prob-threshold": { type: "string", value: "P", help: "default: the model's" },
    "nms-threshold": { type: "string", value: "P", help: "default: the model's" },
    "block-size": { type: "string", value: "PX", help: "side of StarDist's blocks (512)" },
    "min-overlap": { type: "string", value: "PX", help: "overlap of blocks (64)" },
    labels: {
      type: "string",
      value: "PATTERN",
      help: "URI of a field's label image, with {name}, {stem} (the name without its extension and without _proj) and {dir}",
    },
    "pixel-size": { type: "string", value: "UM", help: "of the fields; default: as the files say" },
    "target-pixel-size": { type: "string", value: "UM", help: "resize fields to this before cutting" },
    projection: { type: "string", value: "HOW", help: "of stacks: max (the default) or middle" },
    write: {
      type: "string",
      multiple: true,
      value: "WHAT",
      help: `one of ${Object.keys(outputFlags).join(", ")}`,
    },
    "path-list-channel": {
      type: "string",
      multiple: true,
      value: "LETTER=N",
      help: "channel behind r, y, b or g of path_list.csv",
    },
    masking: { type: "string", value: "HOW", help: "none (the default), nucleus or neighbours-removed" },
    "mask-dilation": { type: "string", value: "PX", help: "pixels by which masks are grown (0)" },
    archive: { type: "boolean", help: "one tar per shard instead of one object per file" },
    "blank-lines": { type: "boolean", help: "opencell: empty lines in metadata.csv as published" },
    "no-contact-sheet": { type: "boolean", help: "make no contact sheet" },
    tries: { type: "string", value: "N", help: "times a field is tried when what failed may pass (4)" },
  },
  async run({ options, positionals, signal }) {
    const spec =
      options.config === undefined
        ? create(ConvertFieldsSpecSchema)
        : await readRequestFile(ConvertFieldsSpecSchema, options.config);
    applyFiles(spec, positionals, options);
    spec.recipe = choiceOption("recipe", options.recipe, recipes) ?? spec.recipe;
    spec.nucleusChannel =
      integerOption("nucleus-channel", options["nucleus-channel"], { min: 0, max: 65_535 }) ??
      spec.nucleusChannel;
    if (options.channel.length > 0) spec.channelNames = options.channel;
    spec.channelPattern = options["channel-pattern"] ?? spec.channelPattern;
    spec.projection =
      choiceOption("projection", options.projection, { max: Projection.MAX, middle: Projection.MIDDLE }) ??
      spec.projection;
    spec.triesPerField = integerOption("tries", options.tries, { min: 1, max: 20 }) ?? spec.triesPerField;
    applyScale(spec, options);
    applySegmentation(spec, options);
    applyOutputs(spec, options);
    needFiles(spec);
    await submit(
      options,
      "imaging convert",
      { case: "convertFields", value: spec },
      signal,
      async (result) =>
        result.case !== "convertFields"
          ? []
          : placeLines({
              table: result.value.tableUri,
              metadata: result.value.metadataUri,
              "contact sheet": result.value.contactSheetUri,
              errors: result.value.failedFields > 0 ? result.value.errorsUri : "",
              "left out":
                result.value.leftOutFiles > 0n
                  ? `${formatCount(result.value.leftOutFiles)} file(s) of names that do not fit, or of channels not chosen; inputs.txt begins with some`
                  : "",
            }),
    );
  },
});

/** A length or an area: pixels, or with a unit. */
function measure(name: string, text: string | undefined, unit: string) {
  if (text === undefined) return {};
  const inUnit = text.endsWith(unit);
  const value = numberOption(name, inUnit ? text.slice(0, -unit.length) : text, { min: 1e-6, max: 1e8 });
  return inUnit ? { um: value as number } : { px: Math.round(value as number) };
}

type Flags = Record<string, string | string[] | boolean | undefined>;
const text = (flags: Flags, name: string) => flags[name] as string | undefined;

function applyScale(spec: ConvertFieldsSpec, flags: Flags): void {
  const scale = spec.scale ?? create(PixelScaleSchema);
  const size = measure("size", text(flags, "size"), "um");
  if (size.px !== undefined) spec.cropSizePx = size.px;
  if (size.um !== undefined) scale.cropSizeUm = size.um;
  const um = { min: 1e-6, max: 1e4 };
  scale.sourceUmPerPx = numberOption("pixel-size", text(flags, "pixel-size"), um) ?? scale.sourceUmPerPx;
  scale.targetUmPerPx =
    numberOption("target-pixel-size", text(flags, "target-pixel-size"), um) ?? scale.targetUmPerPx;
  if (scale.cropSizeUm > 0 || scale.sourceUmPerPx > 0 || scale.targetUmPerPx > 0) spec.scale = scale;
}

function applySegmentation(spec: ConvertFieldsSpec, flags: Flags): void {
  const one = spec.segmentation ?? create(SegmentationOptionsSchema);
  const before = JSON.stringify(toJson(SegmentationOptionsSchema, one));
  const area = measure("min-area", text(flags, "min-area"), "um2");
  if (area.px !== undefined) spec.minAreaPx = area.px;
  if (area.um !== undefined) one.minAreaUm2 = area.um;
  one.border =
    choiceOption("border", text(flags, "border"), { drop: BorderRule.DROP, keep: BorderRule.KEEP }) ??
    one.border;
  one.method =
    choiceOption("method", text(flags, "method"), {
      classical: SegmentationMethod.CLASSICAL,
      stardist: SegmentationMethod.STARDIST,
      labels: SegmentationMethod.LABELS,
    }) ?? one.method;
  const model = text(flags, "model");
  if (model !== undefined) one.modelUri = toUri(model);
  one.modelSha256 = text(flags, "model-sha256") ?? one.modelSha256;
  const share = { min: 0, max: 1 };
  const probability = numberOption("prob-threshold", text(flags, "prob-threshold"), share);
  if (probability !== undefined) one.probabilityThreshold = probability;
  const nms = numberOption("nms-threshold", text(flags, "nms-threshold"), share);
  if (nms !== undefined) one.nmsThreshold = nms;
  const px = { min: 1, max: 16_384 };
  one.blockSize = integerOption("block-size", text(flags, "block-size"), px) ?? one.blockSize;
  one.minOverlap = integerOption("min-overlap", text(flags, "min-overlap"), px) ?? one.minOverlap;
  const labels = text(flags, "labels");
  if (labels !== undefined) one.labelsUriPattern = labels.startsWith("{dir}") ? labels : patternUri(labels);
  if (JSON.stringify(toJson(SegmentationOptionsSchema, one)) !== before) spec.segmentation = one;
}

/** A path as a URI, its placeholders kept as they are. */
function patternUri(pattern: string): string {
  return toUri(pattern).replaceAll("%7B", "{").replaceAll("%7D", "}");
}

function applyOutputs(spec: ConvertFieldsSpec, flags: Flags): void {
  const outputs = spec.outputs ?? create(CropOutputsSchema);
  const before = JSON.stringify(toJson(CropOutputsSchema, outputs));
  for (const what of flags.write as string[]) {
    const name = choiceOption("write", what, outputFlags);
    if (name !== undefined) outputs[name] = true;
  }
  for (const [letter, channel] of Object.entries(
    pairsOption("path-list-channel", flags["path-list-channel"] as string[]),
  ))
    outputs.pathListChannels[letter] = integerOption("path-list-channel", channel, {
      min: 0,
      max: 65_535,
    }) as number;
  outputs.masking =
    choiceOption("masking", text(flags, "masking"), {
      none: CropMasking.NONE,
      nucleus: CropMasking.NUCLEUS,
      "neighbours-removed": CropMasking.NEIGHBOURS_REMOVED,
    }) ?? outputs.masking;
  outputs.maskDilationPx =
    integerOption("mask-dilation", text(flags, "mask-dilation"), { min: 0, max: 100 }) ??
    outputs.maskDilationPx;
  outputs.archive ||= flags.archive === true;
  outputs.blankLines ||= flags["blank-lines"] === true;
  outputs.noContactSheet ||= flags["no-contact-sheet"] === true;
  if (JSON.stringify(toJson(CropOutputsSchema, outputs)) !== before) spec.outputs = outputs;
}
