export type { MicroscopyErrorTag } from "./errors.ts";
export { MicroscopyError } from "./errors.ts";
export { openImage, openImageBytes } from "./open.ts";
export type { PixelArray, PixelType } from "./pixels.ts";
export { cropPlane } from "./transform/crop.ts";
export { presentable, presentableSamples } from "./transform/presentable.ts";
export { createMaxProjection, type MaxProjection, maxOverZ } from "./transform/project.ts";
export { resizeBilinear, resizedSide, resizeNearest } from "./transform/resize.ts";
export { shrinkPlane } from "./transform/shrink.ts";
export type {
  ByteSource,
  ChannelInfo,
  ImageInfo,
  LevelInfo,
  MicroscopyImage,
  OpenOptions,
  Photometric,
  PixelSizeUm,
  Plane,
  PlaneOptions,
  PlaneRequest,
  ReadLimits,
  ReadOptions,
  Region,
  SeriesInfo,
} from "./types.ts";
export type { PngWindow } from "./write/crop-plan.ts";
export {
  type CropPngEncoder,
  type CropPngOptions,
  type CropSource,
  createCropPngEncoder,
  type PngChannels,
} from "./write/crop-png.ts";
export type { ImageInput } from "./write/image-input.ts";
export { encodeOmeTiff, type OmeTiffOptions } from "./write/ome-tiff.ts";
export { type OmeZarrOptions, writeOmeZarr } from "./write/ome-zarr.ts";
export { encodePng, type PngOptions } from "./write/png.ts";
