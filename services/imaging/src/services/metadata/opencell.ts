import { ImagingError } from "../../errors.ts";
import type { Join } from "./join.ts";
import { cropSide, floatText, type SubcellRow } from "./rows.ts";

/** Columns of the conversion's table that are read. */
export const opencellNeeds = [
  "image",
  "cell_id",
  "resz_image",
  "resz_img_width",
  "resz_img_height",
  "resz_center_x",
  "resz_center_y",
  "resz_nuc_area",
] as const;

/** Columns of the annotations that are read. */
export const annotationNeeds = [
  "target_name",
  "ensg_id",
  "annotations_grade_3",
  "annotations_grade_2",
  "annotations_grade_1",
] as const;

/** Localisations of a tagged gene, strongest grade first; several values of one grade are joined by `;`. */
export interface Annotation {
  readonly ensemblId: string;
  readonly grades: readonly [third: string, second: string, first: string];
}

/** What a file name of OpenCell says: `OC-FOV_<gene>_<Ensembl id>_CID<6 digits>_FID<8 digits>_proj.tif`. */
function opencellName(image: string): { gene: string; ensemblId: string; fov: string } | undefined {
  const [, gene, ensemblId, , fov] = image.split("_");
  return gene && ensemblId && fov ? { gene, ensemblId, fov } : undefined;
}

/** What besides the joins is worth knowing of a table. */
export interface OpencellNotes {
  /** Rows whose gene has a row, but no localisation in any grade. */
  withoutLocation: number;
  /** Rows whose file name and whose annotation give different Ensembl ids. */
  ensemblIdsDisagree: number;
}

/**
 * One row. The join is by gene name alone, as Ensembl ids disagree between the sources; they decide only between rows of one gene.
 *
 * @throws ImagingError `bad-table` for a centre that is no number.
 */
export function opencellRow(
  record: Record<string, string>,
  names: Join<true>,
  annotations: Join<Annotation>,
  notes: OpencellNotes,
): SubcellRow {
  const value = (column: (typeof opencellNeeds)[number]) => record[column] ?? "";
  const image = value("image");
  const name = opencellName(image);
  names.find(name === undefined ? image || "(no image)" : "");
  const annotation =
    name === undefined
      ? undefined
      : annotations.find(name.gene, ({ ensemblId }) => ensemblId === name.ensemblId);
  if (annotation !== undefined) {
    if (annotation.grades.every((grade) => grade === "")) notes.withoutLocation += 1;
    if (annotation.ensemblId !== name?.ensemblId) notes.ensemblIdsDisagree += 1;
  }
  const location = annotation?.grades[0] ?? "";
  const corner = (column: "resz_center_y" | "resz_center_x") => {
    const text = value(column);
    if (text.trim() === "") return "";
    const centre = Number(text);
    if (Number.isFinite(centre)) return floatText(centre - cropSide / 2);
    throw new ImagingError(
      "bad-table",
      `${image}: expected a number in ${column}, found ${text.slice(0, 80)}`,
    );
  };
  return {
    top: corner("resz_center_y"),
    left: corner("resz_center_x"),
    width: String(cropSide),
    height: String(cropSide),
    id: image.replaceAll("proj.tif", "") + value("cell_id"),
    location,
    location_code: "",
    locations: location,
    gene_names: name?.gene ?? "",
    ensembl_ids: name?.ensemblId ?? "",
    atlas_name: "HEK293T",
    ImageWidth: value("resz_img_width"),
    ImageHeight: value("resz_img_height"),
    target: "",
    image_id: name?.fov ?? "",
    cell_id: value("cell_id"),
    nucleus_area: value("resz_nuc_area"),
    cell_area: "",
    resized_image_name: value("resz_image"),
  };
}
