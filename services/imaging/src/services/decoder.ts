import sharp, { type Sharp } from "sharp";
import type { ReadLimits } from "../schemas/convert.ts";

// libvips caches decoded files by their path: a file that was replaced would be read as it was.
sharp.cache(false);
// The service's own threads are its parallelism; libvips threads on top would multiply its memory.
sharp.concurrency(1);
// libvips opens far more than microscopy needs. What is not listed here cannot be reached by a hostile file.
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({
  operation: ["VipsForeignLoadTiffFile", "VipsForeignLoadPngFile", "VipsForeignLoadJpegFile"],
});

/** Pixels come as they are stored: no colour profile, no rotation, no repair of broken files. */
const strict = { failOn: "error", ignoreIcc: true, unlimited: false, autoOrient: false } as const;

/** A page of a local file. */
export function openPage(path: string, page: number, limits: ReadLimits): Sharp {
  return sharp(path, {
    ...strict,
    page,
    limitInputPixels: limits.maxPixels,
    limitInputChannels: limits.maxChannels,
  }).timeout({ seconds: Math.max(1, Math.ceil(limits.timeoutMs / 1_000)) });
}

/** Write `size` × `size` pixels as a 16-bit grey PNG. Level 6 is half the time of 9 for 1 % more bytes. */
export async function writePng16(path: string, pixels: Uint16Array, size: number): Promise<void> {
  await sharp(pixels, { raw: { width: size, height: size, channels: 1 } })
    .toColourspace("grey16")
    .png({ compressionLevel: 6 })
    .toFile(path);
}
