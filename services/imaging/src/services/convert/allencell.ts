import type { TaskContext } from "@cytomesh/service-kit/task";
import { nameOf } from "../inputs/find-files.ts";
import { csvLine } from "../tables/csv.ts";
import type { FieldToConvert } from "./convert-field.ts";
import { centreCrop } from "./crop.ts";
import { pixelsOf } from "./crop-pixels.ts";
import type { FieldOutput } from "./field-output.ts";
import { checkResized, resizeLinear } from "./pixel-ops.ts";
import { maxOf, qualityOf } from "./quality.ts";
import { giveBack } from "./spare-memory.ts";

/** Side of the crops, px. */
const cropSize = 640;

/**
 * A single-cell stack of AllenCell: its projection as it is, and the middle of the projection resized to the pixel size of the Human Protein
 * Atlas. The cell is the whole field: nothing is segmented.
 */
export async function convertAllencell(field: FieldToConvert, output: FieldOutput, context: TaskContext) {
  const { planes, options, channelNames } = field;
  const [{ width, height }] = planes as [(typeof planes)[0]];
  const factor = field.umPerPx / options.targetUmPerPx;
  checkResized(field, factor);
  await output.image({
    path: `intermediate/${field.field}_proj`,
    width,
    height,
    pixels: pixelsOf(
      planes.map(({ data }) => data),
      width,
      height,
    ),
    channelNames,
    umPerPx: field.umPerPx,
  });
  await context.breathe();
  const resized = planes.map((plane) => resizeLinear(plane, factor));
  await context.breathe();
  const [whole] = resized as [(typeof resized)[0]];
  const name = `${field.field}_crop_resized`;
  const centre = { y: Math.floor(whole.height / 2), x: Math.floor(whole.width / 2) };
  const half = cropSize / 2;
  await output.cell(
    {
      path: `resized/${name}`,
      width: cropSize,
      height: cropSize,
      pixels: pixelsOf(
        resized.map((plane) => centreCrop(plane, cropSize)),
        cropSize,
        cropSize,
      ),
      channelNames,
      umPerPx: options.targetUmPerPx,
    },
    {
      fieldUri: field.uri,
      field: field.field,
      crop: `resized/${name}`,
      centre,
      sizePx: cropSize,
      cropUmPerPx: options.targetUmPerPx,
      fieldUmPerPx: field.umPerPx,
      quality: qualityOf(
        { top: centre.y - half, left: centre.x - half, size: cropSize },
        undefined,
        resized.map((plane) => ({ ...plane, max: maxOf(plane) })),
        field.saturation,
        false,
      ),
      channels: planes.length,
      segmentation: "none",
      modelSha256: "",
    },
    field.shown > 0,
  );
  for (const plane of resized) giveBack(plane.data);
  output.metadata(csvLine([nameOf(field.uri), width, height, `${name}.png`, whole.width, whole.height]));
  return { found: 1, provenance: { method: "none" } as const, warnings: [] };
}
