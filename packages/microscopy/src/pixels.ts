import { MicroscopyError } from "./errors.ts";

/** How a sample is given to the caller. Floats of 16 and 24 bits come as float32, integers of 1 to 15 bits in the next wider type. */
export type PixelType =
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "uint32"
  | "int32"
  | "uint64"
  | "int64"
  | "float32"
  | "float64";

export type PixelArray =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

const arrays = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** Bytes of one sample. */
export function sampleBytes(type: PixelType): number {
  return arrays[type].BYTES_PER_ELEMENT;
}

/** `length` zeros of a type. */
export function newPixels(type: PixelType, length: number): PixelArray {
  return new arrays[type](length);
}

/** `into`, if it is given and fits, or new pixels. @throws MicroscopyError `invalid-argument`. */
export function pixelsInto(into: PixelArray | undefined, type: PixelType, length: number): PixelArray {
  if (into === undefined) return newPixels(type, length);
  if (!(into instanceof arrays[type]) || into.length !== length)
    throw new MicroscopyError(
      "invalid-argument",
      `Expected ${length} values of ${type} to write into, found ${into.length} in a ${into.constructor.name}`,
    );
  return into;
}

/** Little-endian bytes as pixels, without a copy where they are aligned. */
export function pixelsFrom(type: PixelType, bytes: Uint8Array<ArrayBuffer>): PixelArray {
  const size = sampleBytes(type);
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new arrays[type](aligned.buffer, aligned.byteOffset, Math.floor(bytes.length / size));
}

/** The bytes behind pixels. */
export function bytesOf(pixels: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
}

export function pixelTypeOf(pixels: PixelArray): PixelType {
  for (const [type, array] of Object.entries(arrays)) if (pixels instanceof array) return type as PixelType;
  throw new MicroscopyError("invalid-argument", "Expected a typed array of pixels");
}
