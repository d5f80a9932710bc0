import {
  BorderRule,
  ConversionRecipe,
  CropMasking,
  type CropOutputs,
  type FileListing,
  type FormatMetadataSpec,
  type PixelScale,
  Projection,
  SegmentationMethod,
  type SegmentationOptions,
  type StageSpec,
} from "@cytomesh/contracts/jobs/v1/imaging";
import type { ConvertFieldsSpec } from "@cytomesh/contracts/jobs/v1/specs";
import type { Checks } from "../../schemas/checks.ts";

const MAX_URIS = 100_000;
const MAX_URI = 4_096;
const MAX_NAME = 256;
const MAX_PATTERN = 1_024;
const MAX_SHARDS = 10_000;
const LETTERS = ["r", "y", "b", "g"];

/** Specs of the imaging service. Fields are named `spec.<kind>.<field>`. */
export function checkConvertFields(checks: Checks, spec: ConvertFieldsSpec): void {
  const at = "spec.convert_fields";
  checkFiles(checks, at, spec.uris, spec.listing);
  checks.uri(`${at}.output_uri`, spec.outputUri);
  checks.range(`${at}.nucleus_channel`, spec.nucleusChannel, 0, 65_535);
  if (spec.cropSizePx !== 0) checks.range(`${at}.crop_size_px`, spec.cropSizePx, 8, 4_096);
  checks.range(`${at}.min_area_px`, spec.minAreaPx, 0, 100_000_000);
  checks.known(`${at}.recipe`, spec.recipe, ConversionRecipe);
  checks.known(`${at}.projection`, spec.projection, Projection);
  checks.distinct(`${at}.channel_names`, spec.channelNames, 1_000, MAX_NAME);
  checks.optionalText(`${at}.channel_pattern`, spec.channelPattern, MAX_PATTERN);
  checks.range(`${at}.shards`, spec.shards, 0, MAX_SHARDS);
  checks.range(`${at}.tries_per_field`, spec.triesPerField, 0, 20);
  if (spec.segmentation) checkSegmentation(checks, `${at}.segmentation`, spec.segmentation);
  if (spec.scale) checkScale(checks, `${at}.scale`, spec.scale);
  if (spec.scale?.cropSizeUm && spec.cropSizePx !== 0)
    checks.add(`${at}.scale.crop_size_um`, "crop_size_px is given too; give one of them");
  if (spec.segmentation?.minAreaUm2 && spec.minAreaPx !== 0)
    checks.add(`${at}.segmentation.min_area_um2`, "min_area_px is given too; give one of them");
  if (spec.outputs) checkOutputs(checks, `${at}.outputs`, spec.outputs);
  if (spec.recipe === ConversionRecipe.OPENCELL || spec.recipe === ConversionRecipe.ALLENCELL)
    checkRecipe(checks, at, spec);
}

/** What a recipe fixes cannot be asked for otherwise. */
function checkRecipe(checks: Checks, at: string, spec: ConvertFieldsSpec): void {
  const fixed = "is fixed by the recipe";
  if (spec.cropSizePx !== 0) checks.add(`${at}.crop_size_px`, fixed);
  if (spec.scale?.cropSizeUm) checks.add(`${at}.scale.crop_size_um`, fixed);
  if (spec.nucleusChannel !== 0) checks.add(`${at}.nucleus_channel`, fixed);
  if (spec.recipe === ConversionRecipe.ALLENCELL) {
    if (spec.segmentation) checks.add(`${at}.segmentation`, "ALLENCELL fields are cells already");
    if (spec.minAreaPx !== 0) checks.add(`${at}.min_area_px`, "ALLENCELL fields are cells already");
    if (spec.outputs && (spec.outputs.maskPng || spec.outputs.h5sc || spec.outputs.masking > 1))
      checks.add(`${at}.outputs`, "ALLENCELL fields are not segmented: no masks, masking or h5sc");
  }
}

function checkFiles(checks: Checks, at: string, uris: readonly string[], listing?: FileListing): void {
  if (uris.length === 0 && !listing) checks.add(`${at}.uris`, "expected at least one URI or a listing");
  checks.distinct(`${at}.uris`, uris, MAX_URIS, MAX_URI);
  for (const [i, uri] of uris.slice(0, MAX_URIS).entries())
    if (uri !== "") checks.uri(`${at}.uris[${i}]`, uri);
  if (!listing) return;
  if ((listing.prefixUri === "") === (listing.listingUri === ""))
    checks.add(`${at}.listing`, "expected either prefix_uri or listing_uri");
  if (listing.prefixUri !== "") checks.uri(`${at}.listing.prefix_uri`, listing.prefixUri);
  if (listing.listingUri !== "") checks.uri(`${at}.listing.listing_uri`, listing.listingUri);
  checks.optionalText(`${at}.listing.pattern`, listing.pattern, MAX_NAME);
}

function checkSegmentation(checks: Checks, at: string, options: SegmentationOptions): void {
  checks.known(`${at}.method`, options.method, SegmentationMethod);
  checks.known(`${at}.border`, options.border, BorderRule);
  const stardist = options.method === SegmentationMethod.STARDIST;
  const labels = options.method === SegmentationMethod.LABELS;
  if (options.modelUri !== "") checks.uri(`${at}.model_uri`, options.modelUri);
  else if (stardist) checks.add(`${at}.model_uri`, "SEGMENTATION_METHOD_STARDIST needs a model");
  if (options.modelSha256 !== "") checks.sha256(`${at}.model_sha256`, options.modelSha256);
  if (options.modelUri !== "" && options.labelsUriPattern !== "")
    checks.add(`${at}.labels_uri_pattern`, "a model is given too; give one of them");
  if (labels && options.labelsUriPattern === "")
    checks.add(`${at}.labels_uri_pattern`, "SEGMENTATION_METHOD_LABELS needs a pattern");
  if (options.labelsUriPattern !== "") {
    checks.optionalText(`${at}.labels_uri_pattern`, options.labelsUriPattern, MAX_URI);
    if (!/\{(name|stem)\}/.test(options.labelsUriPattern))
      checks.add(`${at}.labels_uri_pattern`, "expected {name} or {stem} in it, or every field has the same");
  }
  for (const [name, value] of [
    ["probability_threshold", options.probabilityThreshold],
    ["nms_threshold", options.nmsThreshold],
  ] as const)
    if (value !== undefined) checks.range(`${at}.${name}`, value, 0, 1);
  if (options.blockSize !== 0) checks.range(`${at}.block_size`, options.blockSize, 64, 16_384);
  checks.range(`${at}.min_overlap`, options.minOverlap, 0, 8_192);
  checks.range(`${at}.min_area_um2`, options.minAreaUm2, 0, 1e9);
}

function checkScale(checks: Checks, at: string, scale: PixelScale): void {
  checks.range(`${at}.source_um_per_px`, scale.sourceUmPerPx, 0, 1e4);
  checks.range(`${at}.target_um_per_px`, scale.targetUmPerPx, 0, 1e4);
  checks.range(`${at}.crop_size_um`, scale.cropSizeUm, 0, 1e6);
}

function checkOutputs(checks: Checks, at: string, outputs: CropOutputs): void {
  checks.known(`${at}.masking`, outputs.masking, CropMasking);
  checks.range(`${at}.mask_dilation_px`, outputs.maskDilationPx, 0, 100);
  checks.range(`${at}.contact_sheet_crops`, outputs.contactSheetCrops, 0, 10_000);
  checks.range(`${at}.saturation_value`, outputs.saturationValue, 0, 65_535);
  checks.range(`${at}.compression_level`, outputs.compressionLevel, 0, 9);
  for (const [letter, channel] of Object.entries(outputs.pathListChannels)) {
    const field = `${at}.path_list_channels[${JSON.stringify(letter)}]`;
    if (!LETTERS.includes(letter)) checks.add(field, `expected one of ${LETTERS.join(", ")}`);
    checks.range(field, channel, 0, 65_535);
  }
}

/** See `checkConvertFields`. */
export function checkStage(checks: Checks, spec: StageSpec): void {
  checkFiles(checks, "spec.stage", spec.uris, spec.listing);
  checks.uri("spec.stage.output_uri", spec.outputUri);
  checks.range("spec.stage.shards", spec.shards, 0, MAX_SHARDS);
  checks.range("spec.stage.parallel", spec.parallel, 0, 256);
  if (spec.keepPaths && (spec.uris.length > 0 || !spec.listing?.prefixUri))
    checks.add("spec.stage.keep_paths", "needs a listing with a prefix_uri, and no other files");
}

/** See `checkConvertFields`. */
export function checkFormatMetadata(checks: Checks, spec: FormatMetadataSpec): void {
  const at = "spec.format_metadata";
  checks.uri(`${at}.metadata_uri`, spec.metadataUri);
  checks.uri(`${at}.output_uri`, spec.outputUri);
  const opencell = spec.recipe === ConversionRecipe.OPENCELL;
  if (!opencell && spec.recipe !== ConversionRecipe.ALLENCELL)
    checks.add(`${at}.recipe`, "expected CONVERSION_RECIPE_OPENCELL or CONVERSION_RECIPE_ALLENCELL");
  const tables = {
    annotations_uri: [spec.annotationsUri, opencell],
    manifest_uri: [spec.manifestUri, !opencell],
    locations_uri: [spec.locationsUri, !opencell],
    genes_uri: [spec.genesUri, !opencell],
  } as const;
  for (const [name, [uri, needed]] of Object.entries(tables)) {
    if (needed) checks.uri(`${at}.${name}`, uri);
    else if (uri !== "") checks.add(`${at}.${name}`, "is not read by this recipe");
  }
  if ([spec.metadataUri, ...Object.values(tables).map(([uri]) => uri)].includes(spec.outputUri))
    checks.add(`${at}.output_uri`, "is one of the tables that are read");
}
