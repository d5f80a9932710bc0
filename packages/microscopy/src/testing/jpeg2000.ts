import { createRequire } from "node:module";

interface Encoder {
  getDecodedBuffer(frame: object): Uint8Array;
  getEncodedBuffer(): Uint8Array;
  setQuality(lossless: boolean, layers: number): void;
  setCompressionRatio(layer: number, ratio: number): void;
  setDecompositions(levels: number): void;
  encode(): void;
  delete(): void;
}

export interface EncodeOptions {
  readonly signed?: boolean;
  /** Of the lossy wavelet; lossless without it. */
  readonly ratio?: number;
}

/** Little-endian samples, side by side → a codestream. */
export type EncodeJpeg2000 = (
  pixels: Uint8Array,
  size: { readonly width: number; readonly height: number; readonly samples: number; readonly bits: number },
  options?: EncodeOptions,
) => Uint8Array<ArrayBuffer>;

/**
 * Makes the encoder of @cornerstonejs/codec-openjpeg, which takes one sample of 8 or 16 bits, or three of 8 (with the transformation to
 * YCbCr of the codestream). Signed values are stored as unsigned ones, and the signs of the components set: that is the same.
 */
export async function createJpeg2000Encoder(): Promise<EncodeJpeg2000> {
  const require = createRequire(import.meta.url);
  const factory = require("@cornerstonejs/codec-openjpeg/wasmjs") as (
    options: object,
  ) => Promise<{ J2KEncoder: new () => Encoder }>;
  const said: string[] = [];
  const { J2KEncoder } = await factory({ print: (line: string) => said.push(line) });
  return (pixels, { width, height, samples, bits }, { signed = false, ratio } = {}) => {
    const encoder = new J2KEncoder();
    const unit = bits > 8 ? 2 : 1;
    const bytes = pixels.slice();
    if (signed) for (let at = unit - 1; at < bytes.length; at += unit) bytes[at]! ^= 0x80;
    encoder
      .getDecodedBuffer({ width, height, bitsPerSample: bits, componentCount: samples, isSigned: false })
      .set(bytes);
    // Each level halves the sides.
    encoder.setDecompositions(Math.min(5, Math.floor(Math.log2(Math.min(width, height)))));
    encoder.setQuality(ratio === undefined, 1);
    encoder.setCompressionRatio(0, ratio ?? 0);
    encoder.encode();
    const encoded = new Uint8Array(encoder.getEncodedBuffer());
    encoder.delete();
    if (signed) for (let i = 0; i < samples; i++) encoded[42 + 3 * i]! |= 0x80;
    return encoded;
  };
}
