import { encodeOmeTiff, type ImageInput, type Plane, writeOmeZarr } from "@cytomesh/microscopy";
import type { ObjectStore } from "@cytomesh/object-store";
import type { OutputChoice } from "../../schemas/options.ts";
import type { CropPixels } from "./crop-pixels.ts";
import { encodePng } from "./pixel-ops.ts";
import type { FileSink } from "./sink.ts";
import type { OutlinedNucleus } from "./thumbnail.ts";

/** A crop ready to be written. */
export interface CropImage {
  /** Path without extension, as `crops/field-1a2b3c4d_7`. */
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly pixels: CropPixels;
  readonly channelNames: readonly string[];
  /** 0: not known. */
  readonly umPerPx: number;
  /** 1 on the nucleus; absent where nobody asked for it. */
  readonly own?: Uint8Array;
  /** Absent where nothing was segmented. */
  readonly nucleus?: OutlinedNucleus;
}

/** Write a crop in every form asked for. */
export async function writeCrop(sink: FileSink, image: CropImage, outputs: OutputChoice): Promise<void> {
  const { path, width, height, pixels, umPerPx, own } = image;
  const level = outputs.compressionLevel;
  const png = async (name: string, bytes: Uint8Array) => sink.put(name, bytes, "image/png");
  if (outputs.combinedPng) await png(`${path}.png`, pixels.png("combined", umPerPx, level));
  if (outputs.channelPng)
    for (let grey = 0; grey < pixels.count; grey++)
      await png(channelPath(path, grey), pixels.png({ grey }, umPerPx, level));
  if (outputs.omeTiff) {
    const parts = await Array.fromAsync(encodeOmeTiff(imageOf(image), { level }));
    await sink.put(`${path}.ome.tif`, Buffer.concat(parts), "image/tiff");
  }
  if (outputs.omeZarr)
    await writeOmeZarr(storeOver(sink), `${sinkRoot}${path}.ome.zarr`, imageOf(image), {
      chunkSize: Math.max(width, height),
    });
  if (outputs.maskPng && own !== undefined)
    await png(
      `${path}_mask.png`,
      encodePng(
        own.map((value) => value * 255),
        { width, height, channels: 1, umPerPx, level },
      ),
    );
}

/** What paths of a sink look like to a writer that wants URIs. */
const sinkRoot = "file:///";

/** A sink as the store that the OME-Zarr writer puts objects into; it does nothing else with it. */
function storeOver(sink: FileSink): ObjectStore {
  const put = async (uri: string, body: Uint8Array | string) => {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const path = decodeURIComponent(uri.slice(sinkRoot.length));
    await sink.put(path, bytes, path.endsWith(".json") ? "application/json" : "application/octet-stream");
  };
  return { put } as unknown as ObjectStore;
}

/** All channels of a crop as one image with names and pixel size. */
function imageOf(image: CropImage): ImageInput {
  const { width, height, channelNames, umPerPx } = image;
  const channels = image.pixels.channels();
  return {
    name: image.path.slice(image.path.lastIndexOf("/") + 1),
    pixelType: "uint16",
    sizes: { t: 1, c: channels.length, z: 1, y: height, x: width },
    channels: channels.map((_, c) => ({ name: channelNames[c] ?? `c${c}` })),
    ...(umPerPx > 0 ? { pixelSizeUm: { x: umPerPx, y: umPerPx } } : {}),
    plane: ({ c }) => ({
      width,
      height,
      samples: 1,
      pixelType: "uint16",
      data: channels[c] as Plane["data"],
    }),
  };
}

/** File of one channel of a crop. */
export function channelPath(path: string, channel: number): string {
  return `${path}_c${channel}.png`;
}
