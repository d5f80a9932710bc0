import type { Instance } from "@cytomesh/segmentation";
import type { FieldRecord } from "../../schemas/convert.ts";
import { csvLine } from "../tables/csv.ts";
import { type CropQuality, flagsOf } from "./quality.ts";

/** Columns of `crops.csv`. Positions are in pixels of the field unless they begin with `crop_`; the bounding box is half-open. */
export const cropColumns = [
  "field_uri",
  "field",
  "label",
  "crop",
  "centroid_y",
  "centroid_x",
  "area_px",
  "area_um2",
  "bbox_min_y",
  "bbox_min_x",
  "bbox_max_y",
  "bbox_max_x",
  "crop_center_y",
  "crop_center_x",
  "crop_size_px",
  "crop_um_per_px",
  "padded_fraction",
  "neighbours",
  "saturated_fraction",
  "flags",
  "channels",
  "segmentation",
  "model_sha256",
  "probability",
  "polygon",
  "source_label",
] as const;

/** First line of `crops.csv`. */
export const cropsHeader = csvLine(cropColumns);

/** A crop as its table tells it. */
export interface CropRow {
  readonly fieldUri: string;
  readonly field: string;
  readonly crop: string;
  /** Absent where fields are cells already. */
  readonly instance?: Instance;
  /** Row and column of the image that the crop is cut from, at its centre. */
  readonly centre: { readonly y: number; readonly x: number };
  readonly sizePx: number;
  /** 0: not known. */
  readonly cropUmPerPx: number;
  readonly fieldUmPerPx: number;
  readonly quality: CropQuality;
  readonly channels: number;
  readonly segmentation: string;
  readonly modelSha256: string;
}

/** A line of `crops.csv`. */
export function cropRow(o: CropRow): string {
  const { instance: one, quality } = o;
  const values: Record<(typeof cropColumns)[number], string | number> = {
    field_uri: o.fieldUri,
    field: o.field,
    label: one?.label ?? "",
    crop: o.crop,
    centroid_y: one?.centroidY ?? "",
    centroid_x: one?.centroidX ?? "",
    area_px: one?.areaPx ?? "",
    area_um2: one === undefined || o.fieldUmPerPx === 0 ? "" : rounded(one.areaPx * o.fieldUmPerPx ** 2, 4),
    bbox_min_y: one?.minY ?? "",
    bbox_min_x: one?.minX ?? "",
    bbox_max_y: one?.maxY ?? "",
    bbox_max_x: one?.maxX ?? "",
    crop_center_y: o.centre.y,
    crop_center_x: o.centre.x,
    crop_size_px: o.sizePx,
    crop_um_per_px: o.cropUmPerPx === 0 ? "" : o.cropUmPerPx,
    padded_fraction: rounded(quality.paddedFraction, 6),
    neighbours: quality.neighbours,
    saturated_fraction: rounded(quality.saturatedFraction, 6),
    flags: flagsOf(quality).join(";"),
    channels: o.channels,
    segmentation: o.segmentation,
    model_sha256: o.modelSha256,
    probability: one?.probability === undefined ? "" : rounded(one.probability, 6),
    polygon:
      one?.polygon === undefined ? "" : Array.from(one.polygon, (value) => rounded(value, 2)).join(" "),
    source_label: one?.sourceLabel === undefined ? "" : String(one.sourceLabel),
  };
  return csvLine(cropColumns.map((name) => values[name]));
}

function rounded(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}

/** First line of `metadata.csv` of the OpenCell pipeline. */
export const opencellHeader =
  "image,cell_id,orig_img_width,orig_img_height,orig_center_x,orig_center_y,orig_nuc_area,resz_image,resz_img_width,resz_img_height,resz_center_x,resz_center_y,resz_nuc_area\n";

/** First line of `metadata.csv` of the AllenCell pipeline. */
export const allencellHeader =
  "image,orig_img_width,orig_img_height,resz_image,resz_img_width,resz_img_height\n";

/** First line of `path_list.csv` for SubCellPortable: microtubules, ER, nucleus, protein; what is not there stays empty. */
export const pathListHeader = "r_image,y_image,b_image,g_image,output_prefix\n";

/** First line of `sources.csv`. */
export const sourcesHeader = csvLine(["field_uri", "channel", "z", "uri", "sha256"]);

/** A line per file of the fields that lie in several. */
export async function* sourceLines(fields: readonly FieldRecord[]): AsyncGenerator<string> {
  for (const { uri: field, sources = [] } of fields)
    for (const { channel, z, uri, sha256 } of sources) yield csvLine([field, channel, z, uri, sha256]);
}
