/** Pixels of one channel, row by row. */
export type Pixels =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** What pixels are labelled with: any integers. */
export type LabelPixels = Pixels | BigInt64Array | BigUint64Array;

/** An object of a label image. Positions are in pixels; pixel centres are whole numbers. */
export interface Measured {
  readonly label: number;
  readonly areaPx: number;
  /** Mean row and column of its pixels. */
  readonly centroidY: number;
  readonly centroidX: number;
  /** Half-open: rows minY to maxY - 1. */
  readonly minY: number;
  readonly minX: number;
  readonly maxY: number;
  readonly maxX: number;
}

/** A measured object, and what the segmenter knows of it besides. */
export interface Instance extends Measured {
  /** That there is an object at its centre, in [0, 1]; StarDist only. */
  readonly probability?: number;
  /** Vertices y0, x0, y1, x1, … in pixels of the image, one per ray (32 for most models); StarDist only. */
  readonly polygon?: Float32Array;
  /** What the caller's label image calls it; labels made elsewhere only. */
  readonly sourceLabel?: number | bigint;
}

/** How a label image came to be: what one needs to make it again. */
export type Provenance = ClassicalProvenance | StarDistProvenance | { readonly method: "labels" };

export interface ClassicalProvenance {
  readonly method: "classical";
  /** Grey level of the blurred image above which a pixel is foreground. */
  readonly threshold: number;
  readonly blurSigmaPx: number;
  /** Holes of fewer pixels were filled. */
  readonly fillHolesBelowPx: number;
  readonly splitDynamicsPx: number;
}

export interface StarDistProvenance {
  readonly method: "stardist";
  /** Of the ONNX file that was run. */
  readonly modelSha256: string;
  /** Of the weights that the ONNX file was made from; absent when unknown. */
  readonly sourceSha256?: string;
  readonly probThreshold: number;
  readonly nmsThreshold: number;
  readonly normalization: string;
  /** The blocks that were predicted one by one. */
  readonly blocks: {
    readonly blockSize: number;
    readonly minOverlap: number;
    readonly context: number;
    /** Starts of the blocks along rows and columns. */
    readonly rows: readonly number[];
    readonly columns: readonly number[];
  };
}

/** A segmented image. */
export interface Segmentation<P extends Provenance = Provenance> {
  readonly width: number;
  readonly height: number;
  /** Label of every pixel, 0 in the background. */
  readonly labels: Int32Array;
  /** Ascending by label. */
  readonly instances: readonly Instance[];
  readonly provenance: P;
  /** What a person should know of before trusting the labels; mostly empty. */
  readonly warnings: readonly string[];
}

export interface SegmentContext {
  /** Stops the work between two steps. */
  readonly signal?: AbortSignal;
  /** Awaited between steps, so that an abort is heard. */
  breathe?(): Promise<void>;
}

/** Something that finds nuclei in one channel. */
export interface Segmenter {
  readonly method: Provenance["method"];
  /**
   * Labels of one image, not filtered: see `filterInstances` for size and border.
   *
   * @param pixels `height` × `width`, row by row.
   * @throws SegmentationError `invalid_image`, `object_too_large`, `too_large`, `runtime`, `closed`, `cancelled`
   */
  segment(pixels: Pixels, width: number, height: number, context?: SegmentContext): Promise<Segmentation>;
  /** Frees what it holds; calls in flight end first. */
  close(): Promise<void>;
}
