/** Columns of the tables that SubCell's evaluation reads, in their order. */
export const subcellColumns = [
  "top",
  "left",
  "width",
  "height",
  "id",
  "location",
  "location_code",
  "locations",
  "gene_names",
  "ensembl_ids",
  "atlas_name",
  "ImageWidth",
  "ImageHeight",
  "target",
  "image_id",
  "cell_id",
  "nucleus_area",
  "cell_area",
  "resized_image_name",
] as const;

/** A row of such a table; what is not known is empty. */
export type SubcellRow = Readonly<Record<(typeof subcellColumns)[number], string>>;

/** Side of the crops, px. */
export const cropSide = 640;

/** A number as pandas writes one of a float column: `123.0`, `-20.0`, `0.5`. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return "";
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
