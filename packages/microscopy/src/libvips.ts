import sharp, { type Sharp } from "sharp";
import { MicroscopyError } from "./errors.ts";

// libvips opens far more than microscopy needs. What is not listed here cannot be reached by a hostile file.
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({
  operation: ["VipsForeignLoadPngBuffer", "VipsForeignLoadJpegBuffer", "VipsForeignLoadTiffBuffer"],
});
// The threads of the services are their parallelism.
sharp.concurrency(1);
sharp.cache(false);

/** Raw pixels as libvips decoded them, rows of `width` × `channels`. */
export interface RawPixels {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

export interface DecodeWish {
  /** `as-stored` for what needs no colour conversion. */
  readonly space: "b-w" | "srgb" | "grey16" | "rgb16";
  readonly depth: "uchar" | "ushort";
  readonly maxPixels: number;
}

/** Pixels as they are stored: no colour profile, no rotation, no repair of broken files. */
export function openBytes(bytes: Uint8Array<ArrayBuffer>, maxPixels: number): Sharp {
  return sharp(bytes, {
    failOn: "error",
    ignoreIcc: true,
    autoOrient: false,
    unlimited: false,
    limitInputPixels: maxPixels,
    limitInputChannels: 5,
  });
}

/** @throws MicroscopyError `corrupt`. */
export async function decodeBytes(
  bytes: Uint8Array<ArrayBuffer>,
  wish: DecodeWish,
  where: string,
): Promise<RawPixels> {
  try {
    const { data, info } = await openBytes(bytes, wish.maxPixels)
      .toColourspace(wish.space)
      .raw({ depth: wish.depth })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { data: data as Uint8Array<ArrayBuffer>, width, height, channels };
  } catch (error) {
    throw new MicroscopyError("corrupt", `${where}: ${(error as Error).message}`, { cause: error });
  }
}
