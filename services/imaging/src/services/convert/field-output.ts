import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ConvertOptions } from "../../schemas/options.ts";
import { csvLine } from "../tables/csv.ts";
import type { Raster } from "./crop.ts";
import { type CropImage, channelPath, writeCrop } from "./encode.ts";
import { maskHalf, scaledHalf } from "./half.ts";
import { flagsOf } from "./quality.ts";
import type { FileSink, FileTally } from "./sink.ts";
import { type CropRow, cropRow } from "./tables.ts";
import { type Stretch, stretchOf, thumbnail } from "./thumbnail.ts";

/** A thumbnail's caption. */
export interface SheetEntry {
  readonly field: string;
  readonly label: number;
  readonly crop: string;
  readonly areaPx: number;
  /** Side of the crop. */
  readonly cropPx: number;
  /** Of the crop; 0: not known. */
  readonly umPerPx: number;
  /** -1: none. */
  readonly probability: number;
  readonly flags: readonly string[];
}

/** Names of the local files of a field; the shard joins them. */
export const partFiles = {
  crops: "crops.csv",
  metadata: "metadata.csv",
  paths: "path_list.csv",
  thumbs: "thumbs.rgb",
  cells: "cells.f16",
} as const;

/** Collects what a field is turned into: files for the sink, lines for the tables, thumbnails, cells. */
export interface FieldOutput {
  /** Only a file, no cell: an image beside the crops. */
  image(image: CropImage): Promise<void>;
  /** A crop of the set that the tables are about. */
  cell(image: CropImage, row: CropRow, shown: boolean): Promise<void>;
  metadata(line: string): void;
  finish(): Promise<{ tally: FileTally; sheet: SheetEntry[]; crops: number; side: number }>;
}

/** The output of one field. `nuclei` are the channels in full, in the order of the crops' channels, for the brightness of thumbnails. */
export function fieldOutput(
  sink: FileSink,
  options: ConvertOptions,
  outDir: string,
  stretchFrom: () => readonly Parameters<typeof stretchOf>[0][],
): FieldOutput {
  const { outputs } = options;
  let rows = "";
  let metadata = "";
  let paths = "";
  let crops = 0;
  let side = 0;
  let stretches: Stretch[] | undefined;
  const sheet: SheetEntry[] = [];
  const thumbs: Uint8Array[] = [];
  const at = (name: string) => join(outDir, name);
  return {
    image: (image) => writeCrop(sink, image, outputs),
    async cell(image, row, shown) {
      await writeCrop(sink, image, outputs);
      crops += 1;
      side = row.sizePx;
      rows += cropRow(row);
      if (outputs.pathList) paths += pathLine(image, options);
      if (outputs.h5sc) await appendFile(at(partFiles.cells), halves(image));
      if (!shown) return;
      stretches ??= stretchFrom().map(stretchOf);
      const order = nucleusFirst(image.pixels.count, options.nucleusChannel);
      const { planes, window } = image.pixels.source();
      thumbs.push(
        thumbnail(
          order.map((c) => planes[c] as Raster),
          window,
          order.map((c) => (stretches as Stretch[])[c] as Stretch),
          image.nucleus,
        ),
      );
      const { instance } = row;
      sheet.push({
        field: row.field,
        label: instance?.label ?? 1,
        crop: row.crop,
        areaPx: instance?.areaPx ?? 0,
        cropPx: row.sizePx,
        umPerPx: row.cropUmPerPx,
        probability: instance?.probability ?? -1,
        flags: flagsOf(row.quality),
      });
    },
    metadata(line) {
      metadata += line;
    },
    async finish() {
      const tally = await sink.finish();
      await writeFile(at(partFiles.crops), rows);
      if (options.recipe !== "generic") await writeFile(at(partFiles.metadata), metadata);
      if (outputs.pathList) await writeFile(at(partFiles.paths), paths);
      if (thumbs.length > 0) await writeFile(at(partFiles.thumbs), thumbs);
      return { tally, sheet, crops, side };
    },
  };
}

/** Channels in the order of their colours on the sheet. */
export function nucleusFirst(channels: number, nucleus: number): number[] {
  const others = Array.from({ length: channels }, (_, c) => c).filter((c) => c !== nucleus);
  return nucleus < channels ? [nucleus, ...others] : others;
}

function halves(image: CropImage): Uint8Array {
  const parts = [
    ...(image.own === undefined ? [] : [maskHalf(image.own)]),
    ...image.pixels.channels().map(scaledHalf),
  ];
  return Buffer.concat(parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength)));
}

/** Paths are relative to the output folder: SubCellPortable is run from there. */
function pathLine(image: CropImage, options: ConvertOptions): string {
  const channels = pathChannels(image.pixels.count, options);
  const file = (letter: string) => {
    const channel = channels[letter];
    return channel === undefined || channel >= image.pixels.count ? "" : channelPath(image.path, channel);
  };
  const name = image.path.slice(image.path.lastIndexOf("/") + 1);
  return csvLine([file("r"), file("y"), file("b"), file("g"), name]);
}

function pathChannels(count: number, options: ConvertOptions): Readonly<Record<string, number>> {
  const { pathListChannels } = options.outputs;
  if (Object.keys(pathListChannels).length > 0) return pathListChannels;
  if (options.recipe === "opencell") return { b: 0, g: 1 };
  if (options.recipe === "allencell") return { b: 0, g: 2 };
  const b = options.nucleusChannel;
  return count === 2 ? { b, g: 1 - b } : { b };
}
