/** What is read here. */
export const NONE = 1;
export const FAX_HUFFMAN = 2;
export const FAX_3 = 3;
export const FAX_4 = 4;
export const LZW = 5;
export const JPEG = 7;
export const DEFLATE = 8;
export const PACKBITS = 32773;
/** Aperio's: YCbCr, unless the codestream made it from RGB itself. */
export const JPEG_2000_YCBCR = 33003;
/** Bio-Formats' lossy kind, Aperio's RGB, and what the others write. */
const jpeg2000 = new Set([JPEG_2000_YCBCR, 33004, 33005, 34712]);
export const OLD_DEFLATE = 32946;
export const ZSTD = 50000;

const readable = new Set([
  NONE,
  FAX_HUFFMAN,
  FAX_3,
  FAX_4,
  LZW,
  JPEG,
  DEFLATE,
  PACKBITS,
  OLD_DEFLATE,
  ZSTD,
  ...jpeg2000,
]);

const names: Readonly<Record<number, string>> = {
  6: "old-style JPEG",
  32766: "NeXT",
  32809: "ThunderScan",
  33007: "ALT JPEG",
  34661: "JBIG",
  34676: "SGI LogLuv",
  34677: "SGI LogLuv 24",
  34887: "LERC",
  34892: "lossy JPEG (DNG)",
  34925: "LZMA",
  34933: "PNG",
  34934: "JPEG XR",
  50001: "WebP",
  50002: "JPEG XL",
  52546: "JPEG XL (DNG)",
};

export function isReadable(compression: number): boolean {
  return readable.has(compression);
}

export function isJpeg2000(compression: number): boolean {
  return jpeg2000.has(compression);
}

/** `WebP (50001)`, for messages. */
export function compressionName(compression: number): string {
  const name = names[compression];
  return name === undefined ? String(compression) : `${name} (${compression})`;
}
