import type { Join } from "./join.ts";
import { cropSide, type SubcellRow } from "./rows.ts";

/** Columns of the conversion's table that are read. */
export const allencellNeeds = ["image", "resz_image", "resz_img_width", "resz_img_height"] as const;

/** Columns of the manifest of the hiPSC single-cell image data set that are read. */
export const manifestNeeds = ["CellId", "structure_name", "crop_raw", "FOVId", "cell_stage"] as const;

/** A cell of the manifest. */
export interface ManifestCell {
  readonly cellId: string;
  readonly structure: string;
  readonly fovId: string;
  readonly stage: string;
}

/** The one gene of the data set that goes by an outdated name. */
export function geneOf(structure: string): string {
  return structure.replaceAll("HIST1H2BJ", "H2BC11");
}

/** A row and the cell's stage, which this table has besides. */
export type AllencellRow = SubcellRow & { readonly cell_stage: string };

/** One row. */
export function allencellRow(
  record: Record<string, string>,
  manifest: Join<ManifestCell>,
  locations: Join<string>,
  genes: Join<string>,
): AllencellRow {
  const value = (column: (typeof allencellNeeds)[number]) => record[column] ?? "";
  const cell = manifest.find(value("image"));
  const gene = cell === undefined ? "" : geneOf(cell.structure);
  const location = (cell && locations.find(cell.structure)) ?? "";
  return {
    top: "0",
    left: "0",
    width: String(cropSide),
    height: String(cropSide),
    id: value("image").replaceAll("_raw.ome.tif", ""),
    location,
    location_code: "",
    locations: location,
    gene_names: gene,
    ensembl_ids: (cell && genes.find(gene)) ?? "",
    atlas_name: "WTC-11",
    ImageWidth: value("resz_img_width"),
    ImageHeight: value("resz_img_height"),
    target: "",
    image_id: cell?.fovId ?? "",
    cell_id: cell?.cellId ?? "",
    nucleus_area: "",
    cell_area: "",
    resized_image_name: value("resz_image"),
    cell_stage: cell?.stage ?? "",
  };
}
