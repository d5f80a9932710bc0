import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { filterInstances, type Instance, segmentClassical } from "@cytomesh/segmentation";
import type { TaskContext } from "@cytomesh/service-kit/task";
import type { ConvertOptions } from "../schemas/convert.ts";
import { crop, cropWindow } from "./crop.ts";
import { writePng16 } from "./decoder.ts";
import { type FieldFile, type OpenField, openField } from "./read-field.ts";
import { tableHeader, tableRow } from "./table.ts";

/** Everything that converting a field needs; it runs in a worker thread. */
export interface ConvertInput extends FieldFile {
  /** Name of the field in file names. */
  readonly field: string;
  /** Local folder that receives `crops/*.png` and `table.csv`. */
  readonly outDir: string;
  readonly options: ConvertOptions;
}

/** What was made of a field. */
export interface ConvertedField {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly threshold: number;
  readonly crops: number;
  readonly tableSha256: string;
  readonly cropsSha256: string;
}

/**
 * Segment a field and write its crops and table. The same file and options give the same bytes. One channel is in memory at a time.
 *
 * @throws ImagingError see `openField`.
 */
export async function convertField(input: ConvertInput, context: TaskContext): Promise<ConvertedField> {
  const { options, field, outDir } = input;
  const image = await openField(input);
  const { width, height, channels } = image;
  const nucleusPixels = await image.channel(options.nucleusChannel);
  await context.breathe();
  const { minAreaPx } = options;
  const segmented = await segmentClassical(
    nucleusPixels,
    width,
    height,
    { fillHolesBelowPx: minAreaPx },
    context,
  );
  const { instances: nuclei, provenance } = filterInstances(segmented, { minAreaPx, clearBorder: true });
  const windowOf = (nucleus: Instance) => cropWindow(nucleus, options.cropSizePx, width, height);
  const rows = nuclei.map((nucleus) =>
    tableRow({ uri: input.name, field, nucleus, padded: windowOf(nucleus).padded, channels }),
  );
  const table = tableHeader + rows.join("");
  await mkdir(join(outDir, "crops"), { recursive: true });
  await writeFile(join(outDir, "table.csv"), table);
  const cropsSha256 = await writeCrops(input, image, nuclei, context);
  return {
    width,
    height,
    channels,
    threshold: provenance.threshold,
    crops: nuclei.length,
    tableSha256: createHash("sha256").update(table).digest("hex"),
    cropsSha256,
  };
}

/** Write one PNG per channel and nucleus; returns the hash of their list. */
async function writeCrops(
  input: ConvertInput,
  image: OpenField,
  nuclei: readonly Instance[],
  context: TaskContext,
): Promise<string> {
  const { width, height, channels } = image;
  const { cropSizePx } = input.options;
  const list = createHash("sha256");
  // Without nuclei the channels are read all the same: a field whose pages are broken must not pass as an empty one.
  for (let channel = 0; channel < channels; channel++) {
    const pixels = await image.channel(channel);
    for (const nucleus of nuclei) {
      const file = `crops/${input.field}_${nucleus.label}_c${channel}.png`;
      const path = join(input.outDir, file);
      const window = cropWindow(nucleus, cropSizePx, width, height);
      await writePng16(path, crop(pixels, width, height, window), cropSizePx);
      list.update(
        `${createHash("sha256")
          .update(await readFile(path))
          .digest("hex")}  ${file}\n`,
      );
      await context.breathe();
    }
    context.progress({ channels: channel + 1 });
  }
  return list.digest("hex");
}
