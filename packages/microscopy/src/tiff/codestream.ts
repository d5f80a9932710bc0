import { MicroscopyError } from "../errors.ts";

/** What the headers of a JPEG 2000 codestream (ISO/IEC 15444-1, annex A) declare. */
export interface Codestream {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** Of every component. */
  readonly bits: number;
  readonly signed: boolean;
  /** Are the second and third component smaller than the first? */
  readonly subsampled: boolean;
  /** Were the components made of RGB by the codestream's own transformation, which decoding undoes? */
  readonly transformed: boolean;
  /** Where the depths of the components stand, one each. */
  readonly depthsAt: readonly number[];
}

/** How often coding may be split up; what real files have is far below. */
const MOST_TILES = 4_096;
const SPARE_PACKETS = 65_536;
const MOST_STEPS = 2 ** 27;

const SOC = 0xff4f;
const SIZ = 0xff51;
const COD = 0xff52;
const COC = 0xff53;
const POC = 0xff5f;
const SOT = 0xff90;
const SOD = 0xff93;

interface Walk {
  readonly view: DataView;
  readonly where: string;
  readonly frame: Codestream;
  readonly tile: { readonly width: number; readonly height: number; readonly count: number };
  layers: number;
  transformed: boolean;
  progressions: number;
}

/**
 * Reads the main header and those of all tile-parts, and refuses what would make a decoder work or allocate far more than the pixels and
 * bytes that are there call for: many tiles, more packets than bytes, fine precincts over a big image. All tiles must be there.
 *
 * @throws MicroscopyError `corrupt`, `unsupported`.
 */
export function readCodestream(bytes: Uint8Array<ArrayBuffer>, where: string): Codestream {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 44 || view.getUint16(0) !== SOC || view.getUint16(2) !== SIZ)
    throw new MicroscopyError("corrupt", `${where}: JPEG 2000 data without a start`);
  const walk: Walk = {
    ...readSize(view, where),
    view,
    where,
    layers: 1,
    transformed: false,
    progressions: 1,
  };
  let at = readMarkers(walk, 4 + view.getUint16(4), view.byteLength, SOT);
  const tiles = new Set<number>();
  while (at + 12 <= view.byteLength && view.getUint16(at) === SOT) {
    tiles.add(view.getUint16(at + 4));
    const length = view.getUint32(at + 6);
    const end = length === 0 ? view.byteLength : Math.min(view.byteLength, at + length);
    readMarkers(walk, at + 12, end, SOD);
    if (length === 0) break;
    at += Math.max(12, length);
  }
  // OpenJPEG takes what is not there for zeros.
  if (tiles.size < walk.tile.count)
    throw new MicroscopyError(
      "corrupt",
      `${where}: JPEG 2000 data with ${tiles.size} of ${walk.tile.count} tiles`,
    );
  return { ...walk.frame, transformed: walk.transformed };
}

/** The SIZ marker. */
function readSize(view: DataView, where: string): Pick<Walk, "frame" | "tile"> {
  const [x1, y1, x0, y0, tileWidth, tileHeight, tileX, tileY] = Array.from({ length: 8 }, (_, i) =>
    view.getUint32(8 + 4 * i),
  ) as [number, number, number, number, number, number, number, number];
  const components = view.getUint16(40);
  if (view.getUint16(4) !== 38 + 3 * components || components === 0 || view.byteLength < 42 + 3 * components)
    throw new MicroscopyError("corrupt", `${where}: JPEG 2000 data with a damaged size marker`);
  if (x0 !== 0 || y0 !== 0 || tileX !== 0 || tileY !== 0)
    throw new MicroscopyError("unsupported", `${where}: JPEG 2000 data whose image or tiles are shifted`);
  if (x1 === 0 || y1 === 0 || tileWidth === 0 || tileHeight === 0)
    throw new MicroscopyError("corrupt", `${where}: JPEG 2000 data of ${x1} × ${y1} pixels`);
  const count = Math.ceil(x1 / tileWidth) * Math.ceil(y1 / tileHeight);
  if (count > MOST_TILES)
    throw new MicroscopyError(
      "unsupported",
      `${where}: JPEG 2000 data of ${count} tiles within a strip or tile, the limit is ${MOST_TILES}`,
    );
  const depthsAt = Array.from({ length: components }, (_, i) => 42 + 3 * i);
  const depth = view.getUint8(42);
  if (depthsAt.some((at) => view.getUint8(at) !== depth))
    throw new MicroscopyError("unsupported", `${where}: JPEG 2000 components of different depths`);
  const steps = depthsAt.map((at) => `${view.getUint8(at + 1)} × ${view.getUint8(at + 2)}`);
  const subsampled = steps.length === 3 && (steps[1] === "2 × 1" || steps[1] === "2 × 2");
  const expected = steps.map((_, i) => (subsampled && i > 0 ? steps[1] : "1 × 1"));
  if (steps.join() !== expected.join())
    throw new MicroscopyError(
      "unsupported",
      `${where}: JPEG 2000 components with subsampling ${steps.join(", ")}`,
    );
  return {
    frame: {
      width: x1,
      height: y1,
      components,
      bits: (depth & 0x7f) + 1,
      signed: depth >= 0x80,
      subsampled,
      transformed: false,
      depthsAt,
    },
    tile: { width: Math.min(x1, tileWidth), height: Math.min(y1, tileHeight), count },
  };
}

/** Where the marker `last` stands, or the end; looks at how the data are split on the way. */
function readMarkers(walk: Walk, from: number, end: number, last: number): number {
  const { view, where } = walk;
  let at = from;
  while (at + 4 <= end) {
    const marker = view.getUint16(at);
    if (marker === last) return at;
    const length = view.getUint16(at + 2);
    if (marker < 0xff01 || length < 2 || at + 2 + length > end) break;
    if (marker === COD && length >= 12) {
      walk.layers = view.getUint16(at + 6);
      walk.transformed ||= view.getUint8(at + 8) !== 0;
      checkSplit(walk, at + 9, at + 2 + length, (view.getUint8(at + 4) & 1) === 1);
    } else if (marker === COC && length >= 9)
      checkSplit(walk, at + 6, at + 2 + length, (view.getUint8(at + 5) & 1) === 1);
    else if (marker === POC) walk.progressions += Math.ceil((length - 2) / 7);
    at += 2 + length;
  }
  throw new MicroscopyError("corrupt", `${where}: JPEG 2000 data with a damaged header at ${at}`);
}

/** Levels and precincts, at `at` up to `end`, as they stand in COD and COC. */
function checkSplit(walk: Walk, at: number, end: number, hasPrecincts: boolean): void {
  const { view, where, frame, tile, layers, progressions } = walk;
  const levels = view.getUint8(at);
  if (levels > 32 || (hasPrecincts && at + 5 + levels >= end))
    throw new MicroscopyError("corrupt", `${where}: JPEG 2000 data of ${levels} levels`);
  let precincts = 0;
  let [stepX, stepY] = [2 ** 31, 2 ** 31];
  for (let level = 0; level <= levels; level++) {
    const exponents = hasPrecincts ? view.getUint8(at + 5 + level) : 0xff;
    const [x, y] = [2 ** ((exponents & 15) + levels - level), 2 ** ((exponents >> 4) + levels - level)];
    precincts += Math.ceil(tile.width / x) * Math.ceil(tile.height / y);
    [stepX, stepY] = [Math.min(stepX, x), Math.min(stepY, y)];
  }
  const packets = precincts * layers * frame.components * tile.count;
  const positions = Math.ceil(tile.width / stepX) * Math.ceil(tile.height / stepY);
  const steps = positions * (levels + 1) * frame.components * tile.count * progressions;
  // A packet has a header of one byte at least.
  if (packets > SPARE_PACKETS + 2 * view.byteLength || steps > MOST_STEPS)
    throw new MicroscopyError(
      "corrupt",
      `${where}: JPEG 2000 data of ${view.byteLength} bytes that declare ${packets} packets`,
    );
}
