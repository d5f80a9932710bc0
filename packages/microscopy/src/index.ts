export type { MicroscopyErrorTag } from "./errors.ts";
export { MicroscopyError } from "./errors.ts";
export { openImage, openImageBytes } from "./open.ts";
export type { PixelArray, PixelType } from "./pixels.ts";
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
  PlaneRequest,
  ReadLimits,
  ReadOptions,
  Region,
  SeriesInfo,
} from "./types.ts";
