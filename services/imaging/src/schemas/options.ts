import {
  BorderRule,
  ConversionRecipe,
  CropMasking,
  Projection,
  SegmentationMethod,
} from "@cytomesh/contracts/jobs/v1/imaging";
import type { ConvertFieldsSpec } from "@cytomesh/contracts/jobs/v1/specs";
import { ImagingError } from "../errors.ts";

/** Which pipeline a conversion follows. */
export type Recipe = "generic" | "opencell" | "allencell";

/** How nuclei are found; absent where fields are cells already. */
export type SegmentationChoice =
  | { readonly method: "classical" }
  | { readonly method: "labels"; readonly pattern: string }
  | {
      readonly method: "stardist";
      readonly modelUri: string;
      readonly modelSha256: string;
      readonly probThreshold?: number;
      readonly nmsThreshold?: number;
      readonly blockSize: number;
      readonly minOverlap: number;
    };

/** A set of crops: all nuclei cut out of one image, in one folder. */
export interface CropSet {
  readonly folder: "crops" | "intermediate" | "resized";
  /** Follows the crop's name in file names. */
  readonly suffix: string;
  /** Cut out of the resized field? */
  readonly resized: boolean;
  readonly size: CropSize;
}

/** Side of a crop, in pixels of the image it is cut from or in µm. */
export type CropSize = { readonly px: number } | { readonly um: number };

/** What is written for a crop. */
export interface OutputChoice {
  readonly combinedPng: boolean;
  readonly channelPng: boolean;
  readonly pathList: boolean;
  /** Channel numbers by letter of the path list; empty: found by rule. */
  readonly pathListChannels: Readonly<Record<string, number>>;
  readonly maskPng: boolean;
  readonly omeTiff: boolean;
  readonly omeZarr: boolean;
  readonly h5sc: boolean;
  readonly masking: "none" | "nucleus" | "neighbours-removed";
  readonly maskDilationPx: number;
  readonly archive: boolean;
  readonly blankLines: boolean;
  /** 0: the largest value of the pixel type. */
  readonly saturationValue: number;
  readonly compressionLevel: number;
}

/** The options of a spec that change what is written for a field, as plain data that crosses threads; every unset one filled in. */
export interface ConvertOptions {
  readonly recipe: Recipe;
  readonly nucleusChannel: number;
  readonly channelNames: readonly string[];
  readonly projection: "max" | "middle";
  readonly segmentation: SegmentationChoice | undefined;
  /** Smallest nucleus kept: in pixels, or in µm². */
  readonly minArea: { readonly px: number } | { readonly um2: number };
  readonly border: "drop" | "keep";
  /** 0: as the file says. */
  readonly sourceUmPerPx: number;
  /** 0: not resized. */
  readonly targetUmPerPx: number;
  readonly cropSets: readonly CropSet[];
  readonly outputs: OutputChoice;
  /** Crops on the contact sheet of the job; 0: none. */
  readonly contactSheetCrops: number;
}

/** Pixel size of the Human Protein Atlas images that SubCell was trained on, µm. */
const hpaUmPerPx = 0.0800885;

/** Constants of the published pipelines. */
const recipes = {
  generic: { minAreaPx: 100, sourceUmPerPx: 0, targetUmPerPx: 0 },
  /** OpenCell: 63× objective and camera, nuclei below 2,500 px are debris. */
  opencell: { minAreaPx: 2_500, sourceUmPerPx: 0.206349, targetUmPerPx: hpaUmPerPx },
  /** AllenCell: isotropic 0.10833 µm. */
  allencell: { minAreaPx: 0, sourceUmPerPx: 0.10833, targetUmPerPx: hpaUmPerPx },
} as const;

const defaultContactSheetCrops = 480;

/**
 * The options of a spec, with its unset fields filled in.
 *
 * @throws ImagingError `bad-options` for what contradicts itself.
 */
export function convertOptionsOf(spec: ConvertFieldsSpec): ConvertOptions {
  const recipe = recipeOf(spec.recipe);
  const fixed = recipes[recipe];
  const { scale, segmentation, outputs } = spec;
  const targetUmPerPx = scale?.targetUmPerPx || fixed.targetUmPerPx;
  return {
    recipe,
    nucleusChannel: recipe === "generic" ? spec.nucleusChannel : 0,
    channelNames: spec.channelNames.length > 0 || recipe === "generic" ? spec.channelNames : namesOf[recipe],
    projection: spec.projection === Projection.MIDDLE ? "middle" : "max",
    segmentation: recipe === "allencell" ? undefined : segmentationOf(spec),
    minArea: segmentation?.minAreaUm2
      ? { um2: segmentation.minAreaUm2 }
      : { px: spec.minAreaPx || fixed.minAreaPx },
    border: segmentation?.border === BorderRule.KEEP ? "keep" : "drop",
    sourceUmPerPx: scale?.sourceUmPerPx || fixed.sourceUmPerPx,
    targetUmPerPx,
    cropSets: cropSetsOf(recipe, spec, targetUmPerPx > 0),
    outputs: outputsOf(recipe, spec),
    contactSheetCrops: outputs?.noContactSheet ? 0 : outputs?.contactSheetCrops || defaultContactSheetCrops,
  };
}

const namesOf = {
  opencell: ["nucleus", "protein"],
  allencell: ["dna", "membrane", "structure"],
} as const;

function recipeOf(recipe: ConversionRecipe): Recipe {
  if (recipe === ConversionRecipe.OPENCELL) return "opencell";
  return recipe === ConversionRecipe.ALLENCELL ? "allencell" : "generic";
}

function segmentationOf(spec: ConvertFieldsSpec): SegmentationChoice {
  const o = spec.segmentation;
  const method =
    o?.method ||
    (o?.modelUri
      ? SegmentationMethod.STARDIST
      : o?.labelsUriPattern
        ? SegmentationMethod.LABELS
        : SegmentationMethod.CLASSICAL);
  if (o === undefined || method === SegmentationMethod.CLASSICAL) return { method: "classical" };
  if (method === SegmentationMethod.LABELS) {
    if (o.labelsUriPattern === "")
      throw new ImagingError("bad-options", "segmentation by labels needs labels_uri_pattern, found none");
    return { method: "labels", pattern: o.labelsUriPattern };
  }
  if (o.modelUri === "")
    throw new ImagingError("bad-options", "segmentation by StarDist needs model_uri, found none");
  return {
    method: "stardist",
    modelUri: o.modelUri,
    modelSha256: o.modelSha256,
    ...(o.probabilityThreshold === undefined ? {} : { probThreshold: o.probabilityThreshold }),
    ...(o.nmsThreshold === undefined ? {} : { nmsThreshold: o.nmsThreshold }),
    blockSize: o.blockSize || 512,
    minOverlap: o.minOverlap || 64,
  };
}

function cropSetsOf(recipe: Recipe, spec: ConvertFieldsSpec, resized: boolean): CropSet[] {
  if (recipe === "opencell")
    return [
      { folder: "intermediate", suffix: "", resized: false, size: { px: 256 } },
      { folder: "resized", suffix: "_resized", resized: true, size: { px: 640 } },
    ];
  if (recipe === "allencell")
    return [{ folder: "resized", suffix: "_crop_resized", resized: true, size: { px: 640 } }];
  const um = spec.scale?.cropSizeUm ?? 0;
  const size = um > 0 ? { um } : { px: spec.cropSizePx || 256 };
  return [{ folder: "crops", suffix: "", resized, size }];
}

function outputsOf(recipe: Recipe, spec: ConvertFieldsSpec): OutputChoice {
  const o = spec.outputs;
  const pathList = o?.pathList ?? false;
  const chosen =
    o !== undefined && (o.combinedPng || o.channelPng || pathList || o.omeTiff || o.omeZarr || o.h5sc);
  const masking =
    o?.masking === CropMasking.NUCLEUS
      ? "nucleus"
      : o?.masking === CropMasking.NEIGHBOURS_REMOVED
        ? "neighbours-removed"
        : "none";
  return {
    combinedPng: o?.combinedPng || (!chosen && recipe !== "generic"),
    channelPng: o?.channelPng || pathList || (!chosen && recipe === "generic"),
    pathList,
    pathListChannels: o?.pathListChannels ?? {},
    maskPng: o?.maskPng ?? false,
    omeTiff: o?.omeTiff ?? false,
    omeZarr: o?.omeZarr ?? false,
    h5sc: o?.h5sc ?? false,
    masking,
    maskDilationPx: o?.maskDilationPx ?? 0,
    archive: o?.archive ?? false,
    blankLines: o?.blankLines ?? false,
    saturationValue: o?.saturationValue ?? 0,
    compressionLevel: o?.compressionLevel || 1,
  };
}
