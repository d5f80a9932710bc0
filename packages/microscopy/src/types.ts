import type { ObjectStore } from "@cytomesh/object-store";
import type { PixelArray, PixelType } from "./pixels.ts";

/** Bytes that can be read in pieces: a local file, an object of a store, or memory. */
export interface ByteSource extends AsyncDisposable {
  readonly uri: string;
  /** Bytes. */
  readonly size: number;
  /** Does a read cost a network round trip? */
  readonly remote: boolean;
  /**
   * The bytes `[start, end)`, in a buffer of their own or in `into`, which has their length and which a source may leave aside. Never
   * outside `[0, size)`: callers check first.
   */
  read(
    start: number,
    end: number,
    signal?: AbortSignal,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** Bounds for what a file may make this package hold. */
export interface ReadLimits {
  /** Bytes of a decoded plane or region (default 2 GiB). */
  readonly maxPlaneBytes: number;
  /** Bytes of one decoded strip or tile (default 1 GiB). */
  readonly maxSegmentBytes: number;
  /** Pages (IFDs) of a TIFF, and planes of an OME image (default 1,000,000). */
  readonly maxPages: number;
  /** Entries of one IFD (default 4,096). */
  readonly maxTags: number;
  /** Bytes of one tag's value (default 64 MiB). */
  readonly maxTagBytes: number;
  /** Bytes of OME-XML (default 64 MiB). */
  readonly maxXmlBytes: number;
  /** Depth of OME-XML (default 64). */
  readonly maxXmlDepth: number;
  /** Samples per pixel (default 1,024). */
  readonly maxSamples: number;
  /** Bytes of a PNG, JPEG or gzip file, which is read whole, and of what the last holds (default 1 GiB). */
  readonly maxFileBytes: number;
  /** Bytes of decoded strips and tiles kept for the next region (default 64 MiB; 0 keeps none). */
  readonly cacheBytes: number;
}

/** Micrometres per pixel. */
export interface PixelSizeUm {
  readonly x: number;
  readonly y: number;
  readonly z?: number;
}

export interface ChannelInfo {
  readonly name?: string;
  /** `#rrggbb`. */
  readonly color?: string;
  readonly excitationNm?: number;
  readonly emissionNm?: number;
}

export interface LevelInfo {
  readonly width: number;
  readonly height: number;
}

/** What samples mean. Planes come as stored: a palette is not applied, white-is-zero not inverted; see `presentable`. */
export type Photometric = "grey" | "white-is-zero" | "rgb" | "palette" | "cmyk" | "mask" | "lab" | "other";

/** One image of a file: planes of one size along t, c and z. */
export interface SeriesInfo {
  readonly index: number;
  readonly name?: string;
  readonly pixelType: PixelType;
  /** Bits that a stored sample uses: 12 for a 12-bit camera stored in 12 bits, 16 for half floats. */
  readonly bitsPerSample: number;
  /** Fewer bits that values keep to, where OME-XML says so (SignificantBits): 12 for a 12-bit camera stored in 16 bits. */
  readonly significantBits?: number;
  readonly photometric: Photometric;
  /** 256 or more colours, 3 × n values of 16 bits (all red, all green, all blue), for `photometric` "palette". */
  readonly palette?: Uint16Array;
  readonly sizes: {
    readonly t: number;
    readonly c: number;
    readonly z: number;
    readonly y: number;
    readonly x: number;
    readonly samples: number;
  };
  /** Slowest axis first, as the file says, e.g. `TZCYX`, `CYXS`; `I` where a file has pages and does not say what they are (they are t). */
  readonly axes: string;
  /** `sizes.c` of them. */
  readonly channels: readonly ChannelInfo[];
  readonly pixelSizeUm?: PixelSizeUm;
  /** Where `pixelSizeUm` comes from; resolution tags are often what a program put there for printing. */
  readonly pixelSizeFrom?: "ome" | "imagej" | "vendor" | "resolution-tags" | "ngff" | "png";
  /** Full size first. */
  readonly levels: readonly LevelInfo[];
  /** TIFF orientation, 1 (top left) if not stated. Planes come as stored. */
  readonly orientation?: number;
}

export interface ImageInfo {
  readonly uri: string;
  readonly format: "tiff" | "ome-tiff" | "imagej-tiff" | "ome-zarr" | "png" | "jpeg";
  readonly series: readonly SeriesInfo[];
  /** Some of its planes lie in other files: those that an OME-TIFF or companion refers to, the chunks of OME-Zarr. */
  readonly needsOtherFiles: boolean;
  /** The file ends before all of its planes: why. Those that are there can be read. */
  readonly cutOff?: string;
  /** What was odd and how it was taken. */
  readonly warnings: readonly string[];
}

/** All indices from 0, 0 if not given. The region is in pixels of the level; the whole plane if not given. */
export interface PlaneRequest {
  readonly series?: number;
  readonly t?: number;
  readonly c?: number;
  readonly z?: number;
  readonly level?: number;
  readonly region?: Region;
}

export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** `height` × `width` × `samples` values, row by row, the samples of a pixel side by side. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly pixelType: PixelType;
  readonly data: PixelArray;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface PlaneOptions extends ReadOptions {
  /**
   * Takes the pixels, and is the plane's `data`; of the series' pixel type and the region's length. For who reads plane after plane: new
   * memory costs more than reading plain pixels does. What it holds after an error is not defined.
   */
  readonly into?: PixelArray | undefined;
}

export interface MicroscopyImage extends AsyncDisposable {
  readonly info: ImageInfo;
  /**
   * A plane or a region of one. Only the bytes it needs are fetched.
   *
   * @throws MicroscopyError `invalid-argument` outside the image; `missing-plane`, `missing-file`, `refused-reference`; `corrupt`,
   *   `truncated`, `unsupported`, `too-large`; errors of the store as they are.
   */
  plane(request?: PlaneRequest, options?: PlaneOptions): Promise<Plane>;
}

export interface OpenOptions extends ReadOptions {
  /** Where URIs are read from; without it only local paths and `file://` URIs can be. */
  readonly store?: ObjectStore | undefined;
  readonly limits?: Partial<ReadLimits> | undefined;
}
