import { MicroscopyError } from "../errors.ts";
import { type PixelType, sampleBytes } from "../pixels.ts";
import { shrinkPlane } from "../transform/shrink.ts";
import type { Plane } from "../types.ts";
import { type ImageInput, planesOf } from "./image-input.ts";
import { omeXmlOf } from "./ome-xml.ts";
import { encodeDirectory, type Tag } from "./tiff-directory.ts";
import { encodeTiles, type TileCompression } from "./tiles.ts";

export interface OmeTiffOptions {
  /** `deflate` (default) is read by everything; `zstd` is smaller and faster. */
  readonly compression?: TileCompression;
  /** Of the compression; default 6 for deflate, 3 for zstd. */
  readonly level?: number;
  /** Side of the tiles, a multiple of 16 (default 512). */
  readonly tileSize?: number;
  /** Levels with the full size; each is half of the one before (default 1). */
  readonly levels?: number;
  /** How smaller levels are made: `nearest` for labels. */
  readonly shrink?: "mean" | "nearest";
  /** Offsets of 8 bytes; by default where more than 4 GB may come. */
  readonly bigTiff?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What is left to 4 GB for directories. */
const CLASSIC_BYTES = 2 ** 32 - 2 ** 26;

/**
 * An OME-TIFF as a stream, for `ObjectStore.put`: tiled, predictor 2 for integers, planes in the order XYCZT, smaller levels as SubIFDs,
 * OME-XML with channels and pixel size. Holds two planes. The same input and options give the same bytes.
 *
 * @throws MicroscopyError `invalid-argument` when a plane is not as announced; `unsupported`.
 */
export async function* encodeOmeTiff(
  input: ImageInput,
  options: OmeTiffOptions = {},
): AsyncGenerator<Uint8Array> {
  const { sizes } = input;
  if (input.pixelType === "uint64" || input.pixelType === "int64")
    throw new MicroscopyError(
      "unsupported",
      `OME has no ${input.pixelType}; convert to 32 bits or to float64`,
    );
  const bytes =
    sizes.t * sizes.c * sizes.z * sizes.y * sizes.x * (sizes.samples ?? 1) * sampleBytes(input.pixelType);
  const big = options.bigTiff ?? bytes * 1.34 > CLASSIC_BYTES;
  const headerBytes = big ? 16 : 8;
  let waiting: WaitingPage | undefined;
  let position = headerBytes;
  let description: string | undefined = omeXmlOf(input);
  for await (const { plane } of planesOf(input, options.signal)) {
    // What was waiting learns where the next directory will be only now that its pixels are packed.
    const page = packPage(input, plane, description, options, big);
    description = undefined;
    if (waiting === undefined) {
      yield header(big, page.directoryAt(position));
    } else {
      const end = position + waiting.directory(0).length;
      const directory = waiting.directory(page.directoryAt(end));
      yield directory;
      position = end;
    }
    yield* page.place(position);
    position = page.directoryAt(position);
    waiting = page;
  }
  if (waiting !== undefined) yield waiting.directory(0);
}

/** A page whose pixels are packed; its place in the file is given when it is written. */
interface WaitingPage {
  /** Where its directory begins if its pixels begin at `start`. */
  directoryAt(start: number): number;
  /** Fixes the place, and gives the bytes of pixels and smaller levels. */
  place(start: number): Uint8Array[];
  /** Its directory, at the place that was fixed; its length does not depend on `next`. */
  directory(next: number): Uint8Array;
}

function packPage(
  input: ImageInput,
  plane: Plane,
  description: string | undefined,
  options: OmeTiffOptions,
  big: boolean,
): WaitingPage {
  const { tileSize = 512, levels = 1, shrink = "mean", compression = "deflate" } = options;
  const packed = [{ plane, tiles: encodeTiles(plane, tileSize, compression, options.level) }];
  for (let small = plane; packed.length < levels && (small.width > 1 || small.height > 1); ) {
    small = shrinkPlane(small, shrink);
    packed.push({ plane: small, tiles: encodeTiles(small, tileSize, compression, options.level) });
  }
  const [full, ...small] = packed as [(typeof packed)[0], ...typeof packed];
  const even = (bytes: number) => bytes + (bytes % 2);
  const tileBytes = (tiles: readonly Uint8Array[]) => even(tiles.reduce((sum, tile) => sum + tile.length, 0));

  const tagsOf = (level: (typeof packed)[0], start: number, subIfds: readonly number[]): Tag[] => {
    const offsets: number[] = [];
    let at = start;
    for (const tile of level.tiles) {
      offsets.push(at);
      at += tile.length;
    }
    const counts = level.tiles.map((tile) => tile.length);
    return pageTags(input, level.plane, {
      tileSize,
      compression,
      offsets,
      counts,
      subIfds,
      isSmall: level !== full,
      description: level === full ? description : undefined,
    });
  };
  // Lengths do not depend on places: every value has its width.
  const smallDirectoryBytes = small.map((level) =>
    even(encodeDirectory(tagsOf(level, 0, []), 0, 0, big).length),
  );
  let start = 0;
  const smallAt = (from: number) => {
    let at = from + tileBytes(full.tiles);
    return small.map((level, i) => {
      const directory = at + tileBytes(level.tiles);
      const place = { tiles: at, directory };
      at = directory + smallDirectoryBytes[i]!;
      return place;
    });
  };
  const pieces = (tiles: readonly Uint8Array[]) => {
    const odd = tiles.reduce((sum, tile) => sum + tile.length, 0) % 2;
    return odd === 1 ? [...tiles, new Uint8Array(1)] : [...tiles];
  };
  return {
    directoryAt: (from) =>
      from +
      tileBytes(full.tiles) +
      small.reduce((sum, level, i) => sum + tileBytes(level.tiles) + smallDirectoryBytes[i]!, 0),
    place(from) {
      start = from;
      const places = smallAt(from);
      return [
        ...pieces(full.tiles),
        ...small.flatMap((level, i) => {
          const { tiles, directory } = places[i]!;
          return [
            ...pieces(level.tiles),
            padEven(encodeDirectory(tagsOf(level, tiles, []), directory, 0, big)),
          ];
        }),
      ];
    },
    directory(next) {
      const places = smallAt(start);
      const at = this.directoryAt(start);
      return padEven(
        encodeDirectory(
          tagsOf(
            full,
            start,
            places.map(({ directory }) => directory),
          ),
          at,
          next,
          big,
        ),
      );
    },
  };
}

function padEven(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 2 === 0) return bytes;
  const padded = new Uint8Array(bytes.length + 1);
  padded.set(bytes);
  return padded;
}

interface PageParts {
  readonly tileSize: number;
  readonly compression: TileCompression;
  readonly offsets: readonly number[];
  readonly counts: readonly number[];
  readonly subIfds: readonly number[];
  readonly isSmall: boolean;
  readonly description: string | undefined;
}

function pageTags(input: ImageInput, plane: Plane, parts: PageParts): Tag[] {
  const { width, height, samples, pixelType } = plane;
  const { tileSize, compression, offsets, counts, subIfds, isSmall, description } = parts;
  const bits = sampleBytes(pixelType) * 8;
  const each = <T>(value: T) => Array.from({ length: samples }, () => value);
  const tags: Tag[] = [
    { tag: 254, type: "long", values: [isSmall ? 1 : 0] },
    { tag: 256, type: "long", values: [width] },
    { tag: 257, type: "long", values: [height] },
    { tag: 258, type: "short", values: each(bits) },
    { tag: 259, type: "short", values: [{ none: 1, deflate: 8, zstd: 50_000 }[compression]] },
    { tag: 262, type: "short", values: [samples >= 3 ? 2 : 1] },
    ...(description === undefined ? [] : [{ tag: 270, type: "ascii", text: description } as const]),
    { tag: 277, type: "short", values: [samples] },
    { tag: 284, type: "short", values: [1] },
    { tag: 305, type: "ascii", text: "Cytomesh" },
    ...(hasPredictor(pixelType, compression) ? [{ tag: 317, type: "short", values: [2] } as const] : []),
    { tag: 322, type: "long", values: [tileSize] },
    { tag: 323, type: "long", values: [tileSize] },
    { tag: 324, type: "offset", values: offsets },
    { tag: 325, type: "offset", values: counts },
    ...(subIfds.length > 0 ? [{ tag: 330, type: "offset", values: subIfds } as const] : []),
    ...(samples === 2 || samples > 3
      ? [
          {
            tag: 338,
            type: "short",
            values: Array.from({ length: samples - (samples > 3 ? 3 : 1) }, () => 0),
          } as const,
        ]
      : []),
    {
      tag: 339,
      type: "short",
      values: each(pixelType.startsWith("uint") ? 1 : pixelType.startsWith("int") ? 2 : 3),
    },
  ];
  const size = isSmall ? undefined : input.pixelSizeUm;
  if (size !== undefined)
    tags.push(
      { tag: 282, type: "rational", values: perCm(size.x) },
      { tag: 283, type: "rational", values: perCm(size.y) },
      { tag: 296, type: "short", values: [3] },
    );
  return tags.sort((a, b) => a.tag - b.tag);
}

export function hasPredictor(type: PixelType, compression: TileCompression): boolean {
  return compression !== "none" && !type.startsWith("float");
}

/** Pixels per centimetre, as a fraction of two 32-bit numbers. */
function perCm(um: number): [number, number] {
  const perCentimetre = 10_000 / um;
  const scale = perCentimetre < 4_000 ? 1_000_000 : perCentimetre < 4_000_000 ? 1_000 : 1;
  return [Math.max(1, Math.min(2 ** 32 - 1, Math.round(perCentimetre * scale))), scale];
}

function header(big: boolean, firstDirectory: number): Uint8Array {
  const bytes = new Uint8Array(big ? 16 : 8);
  const view = new DataView(bytes.buffer);
  bytes.set([0x49, 0x49, big ? 43 : 42, 0]);
  if (!big) view.setUint32(4, firstDirectory, true);
  else {
    view.setUint16(4, 8, true);
    view.setBigUint64(8, BigInt(firstDirectory), true);
  }
  return bytes;
}
