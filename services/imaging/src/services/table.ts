import type { Instance } from "@cytomesh/segmentation";

/** Columns of the table of crops. Positions are in pixels, the bounding box half-open. */
const columns = [
  "field_uri",
  "field",
  "label",
  "centroid_y",
  "centroid_x",
  "area_px",
  "bbox_min_y",
  "bbox_min_x",
  "bbox_max_y",
  "bbox_max_x",
  "padded",
  "channels",
  "segmentation",
] as const;

/** First line of every table. */
export const tableHeader = `${columns.join(",")}\n`;

/** A line of the table. `padded` is 1 when the crop reaches over the edge of the field and was filled with zeros there. */
export function tableRow(o: {
  uri: string;
  field: string;
  nucleus: Instance;
  padded: boolean;
  channels: number;
}): string {
  const { nucleus } = o;
  const values: Record<(typeof columns)[number], string | number> = {
    field_uri: quoted(o.uri),
    field: o.field,
    label: nucleus.label,
    centroid_y: nucleus.centroidY,
    centroid_x: nucleus.centroidX,
    area_px: nucleus.areaPx,
    bbox_min_y: nucleus.minY,
    bbox_min_x: nucleus.minX,
    bbox_max_y: nucleus.maxY,
    bbox_max_x: nucleus.maxX,
    padded: o.padded ? 1 : 0,
    channels: o.channels,
    segmentation: "classical",
  };
  return `${columns.map((name) => values[name]).join(",")}\n`;
}

/** A text as RFC 4180 wants it. */
function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
