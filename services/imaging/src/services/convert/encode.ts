import { encodeOmeTiff, type ImageInput, type Plane, writeOmeZarr } from "@cytomesh/microscopy";
import type { ObjectStore } from "@cytomesh/object-store";
import type { OutputChoice } from "../../schemas/options.ts";
import { encodePng } from "./pixel-ops.ts";
import type { FileSink } from "./sink.ts";

/** A crop ready to be written. */
export interface CropImage {
  /** Path without extension, as `crops/field-1a2b3c4d_7`. */
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly channels: readonly Uint16Array[];
  readonly channelNames: readonly string[];
  /** 0: not known. */
  readonly umPerPx: number;
  /** 1 on the nucleus; absent where there is no mask. */
  readonly own?: Uint8Array;
}

/** Write a crop in every form asked for. */
export async function writeCrop(sink: FileSink, image: CropImage, outputs: OutputChoice): Promise<void> {
  const { path, width, height, channels, own } = image;
  const level = outputs.compressionLevel;
  const size = { width, height, umPerPx: image.umPerPx, level };
  const png = async (name: string, pixels: Uint8Array | Uint16Array, samples: 1 | 3) =>
    sink.put(name, encodePng(pixels, { ...size, channels: samples }), "image/png");
  if (outputs.combinedPng) await png(`${path}.png`, interleaved(channels), 3);
  if (outputs.channelPng)
    for (const [c, pixels] of channels.entries()) await png(channelPath(path, c), pixels, 1);
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
      own.map((value) => value * 255),
      1,
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
  const { width, height, channels, channelNames, umPerPx } = image;
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

/** Channels as the samples of an RGB image, first channel blue, as OpenCV writes it; what is not there is black. */
export function interleaved(channels: readonly Uint16Array[]): Uint16Array {
  const count = (channels[0] as Uint16Array).length;
  const rgb = new Uint16Array(count * 3);
  for (const [c, pixels] of channels.slice(0, 3).entries())
    for (let i = 0, k = 2 - c; i < count; i++, k += 3) rgb[k] = pixels[i] as number;
  return rgb;
}
