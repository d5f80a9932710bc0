import { gapOf, type Range, withRanges } from "../bytes/ranges.ts";
import { MicroscopyError } from "../errors.ts";
import { bytesOf, pixelsInto, sampleBytes } from "../pixels.ts";
import type { Plane, PlaneOptions, Region } from "../types.ts";
import { JPEG, NONE } from "./compressions.ts";
import { decodeSegment, swapInPlace, toSamples } from "./decode-segment.ts";
import { type Ifd, type TiffFile, tagBytes } from "./ifd.ts";
import { type PageLayout, packedRowBytes, segmentRows } from "./layout.ts";
import type { SegmentCache } from "./segment-cache.ts";

/** A page whose pixels can be read. `shift` is added to all offsets: planes of a stack that has one directory for all. */
export interface PageRef {
  readonly file: TiffFile;
  readonly ifd: Ifd;
  readonly layout: PageLayout;
  readonly shift: number;
}

/** Bytes of the file that are held at a time: from afar many requests run side by side, from a disk the processor's cache counts. */
const REMOTE_BATCH_BYTES = 32 * 1024 * 1024;
const LOCAL_BATCH_BYTES = 1024 * 1024;

/** @throws MicroscopyError `invalid-argument`, `corrupt`, `truncated`, `unsupported`, `too-large`. */
export async function readRegion(
  page: PageRef,
  region: Region,
  cache: SegmentCache,
  { signal, into }: PlaneOptions,
): Promise<Plane> {
  const { layout, file } = page;
  const { samples, pixelType } = layout;
  const bytes = region.width * region.height * samples * sampleBytes(pixelType);
  if (bytes > file.limits.maxPlaneBytes)
    throw new MicroscopyError(
      "too-large",
      `${file.uri}: ${region.width} × ${region.height} pixels need ${bytes} bytes, the limit is ${file.limits.maxPlaneBytes}; ask for regions`,
    );
  const segments = segmentsOf(page, region);
  const start = wholeStart(page, region, segments);
  if (start === undefined) checkPlausible(page, region);
  const data = pixelsInto(into, pixelType, region.width * region.height * samples);
  const out = bytesOf(data);
  const plain = layout.compression === NONE && isPlain(layout);
  if (start !== undefined) await readWhole(page, start, out, signal);
  else {
    // What was never written is zeros.
    if (into !== undefined && segments.some((segment) => placeOf(page, segment) === undefined)) out.fill(0);
    if (plain) await copyRows(page, region, segments, out, signal);
    else await decodeAll(page, region, segments, out, cache, signal);
  }
  if (plain && swapsLate(page)) swapInPlace(out, layout.bits);
  return { width: region.width, height: region.height, samples, pixelType, data };
}

/** A strip or tile that a region touches. */
interface Segment {
  readonly index: number;
  /** Of its top left pixel. */
  readonly x: number;
  readonly y: number;
  readonly rows: number;
  /** The sample it holds, in separate planes. */
  readonly sample: number;
}

function segmentsOf({ layout }: PageRef, region: Region): Segment[] {
  const { segmentWidth, segmentHeight, across, down, separate, samples } = layout;
  const segments: Segment[] = [];
  const lastRow = Math.floor((region.y + region.height - 1) / segmentHeight);
  const lastColumn = Math.floor((region.x + region.width - 1) / segmentWidth);
  for (let sample = 0; sample < (separate ? samples : 1); sample++)
    for (let row = Math.floor(region.y / segmentHeight); row <= lastRow; row++)
      for (let column = Math.floor(region.x / segmentWidth); column <= lastColumn; column++)
        segments.push({
          index: (sample * down + row) * across + column,
          x: column * segmentWidth,
          y: row * segmentHeight,
          rows: segmentRows(layout, row),
          sample,
        });
  return segments;
}

/** Do bytes of the file become samples without a neighbour's help? */
function isPlain(layout: PageLayout): boolean {
  return layout.predictor === 1 && layout.bits % 8 === 0 && !layout.reversedBits;
}

/** Are the file's bytes those of the samples, but for their order? */
function isAsStored({ layout }: PageRef): boolean {
  return layout.bits === 8 * sampleBytes(layout.pixelType);
}

/** Plain pixels are put into place first and swapped there: pieces of a file may be shared by several strips or tiles. */
function swapsLate(page: PageRef): boolean {
  return !page.file.littleEndian && page.layout.bits > 8 && isAsStored(page);
}

/** Where a segment lies, or undefined for one that was never written (offset 0 or no bytes): it is zeros. */
function placeOf({ layout, file, shift }: PageRef, { index }: Segment): Range | undefined {
  const offset = layout.offsets[index]!;
  const bytes = layout.byteCounts[index]!;
  if (offset === 0 || bytes === 0) return undefined;
  const start = offset + shift;
  if (!(start + bytes <= file.size))
    throw new MicroscopyError(
      "truncated",
      `${file.uri}: strip or tile ${index} lies at ${start} with ${bytes} bytes, the file has ${file.size}`,
    );
  return { start, end: start + bytes };
}

/**
 * Refuses sizes that the file cannot hold before anything is allocated. deflate makes at most 1,032 bytes of one, LZW 2,800 (a code of
 * 12 bits for 4,096 bytes), PackBits 64, JPEG blocks of 64 from 2 bits; sparse files and zstd may be all zeros, of any size.
 */
function checkPlausible(page: PageRef, region: Region): void {
  const { layout, file } = page;
  const segmentBytes =
    layout.segmentWidth * layout.segmentHeight * sampleBytes(layout.pixelType) * layout.samples;
  if (segmentBytes > file.limits.maxSegmentBytes && layout.compression !== NONE)
    throw new MicroscopyError(
      "too-large",
      `${file.uri}: strips or tiles of ${segmentBytes} bytes, the limit is ${file.limits.maxSegmentBytes}`,
    );
  const pixels = region.width * region.height;
  if (pixels > 2 ** 24 && pixels / 65_536 > file.size && layout.byteCounts.some((count) => count > 0))
    throw new MicroscopyError(
      "corrupt",
      `${file.uri}: ${layout.width} × ${layout.height} pixels are declared in a file of ${file.size} bytes`,
    );
}

/** Where the rows of a whole-width region of plain strips begin, when they lie one behind the other as they are needed. */
function wholeStart(page: PageRef, region: Region, segments: readonly Segment[]): number | undefined {
  const { layout, file } = page;
  if (layout.compression !== NONE || !isPlain(layout) || !isAsStored(page)) return undefined;
  if (layout.separate || layout.across !== 1) return undefined;
  if (region.width !== layout.width || layout.segmentWidth !== layout.width) return undefined;
  const rowBytes = packedRowBytes(layout);
  let next: number | undefined;
  for (const segment of segments) {
    const place = placeOf(page, segment);
    if (place === undefined || (next !== undefined && place.start !== next)) return undefined;
    next = place.start + rowBytes * layout.segmentHeight;
  }
  const first = segments[0]!;
  const start = layout.offsets[first.index]! + page.shift + (region.y - first.y) * rowBytes;
  const end = start + region.height * rowBytes;
  if (end > file.size)
    throw new MicroscopyError(
      "truncated",
      `${file.uri}: pixels up to ${end} are declared, the file has ${file.size} bytes`,
    );
  return start;
}

/** Straight into the answer. */
async function readWhole(
  page: PageRef,
  start: number,
  out: Uint8Array<ArrayBuffer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytes = await page.file.blocks.source.read(start, start + out.length, signal, out);
  if (bytes !== out) out.set(bytes);
}

/** Plain rows: only those of the region, and only its columns where the rest of a row costs more than a request. */
async function copyRows(
  page: PageRef,
  region: Region,
  segments: readonly Segment[],
  out: Uint8Array<ArrayBuffer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { layout, file } = page;
  const rowBytes = packedRowBytes(layout);
  const pixelBytes = (layout.bits / 8) * (layout.separate ? 1 : layout.samples);
  const gap = gapOf(file.blocks.source);
  const batchBytes = file.blocks.source.remote ? REMOTE_BATCH_BYTES : LOCAL_BATCH_BYTES;
  let ranges: Range[] = [];
  let places: { segment: Segment; from: number; y: number; rows: number; columns: number }[] = [];
  let held = 0;
  const flush = async () => {
    signal?.throwIfAborted();
    await withRanges(file.blocks.source, ranges, signal, async (pieces) => {
      for (const [i, { segment, from, y, rows, columns }] of places.entries()) {
        const cut = { ...layout, segmentWidth: columns };
        const samples = layout.separate ? 1 : layout.samples;
        const bytes = isAsStored(page)
          ? pieces[i]!
          : toSamples(cut, pieces[i]!, rows, samples, file.littleEndian, file.uri);
        place(layout, { ...segment, x: from, y, rows }, columns, bytes, region, out);
      }
    });
    ranges = [];
    places = [];
    held = 0;
  };
  for (const segment of segments) {
    const at = placeOf(page, segment);
    if (at === undefined) continue;
    const top = Math.max(region.y, segment.y);
    const bottom = Math.min(region.y + region.height, segment.y + segment.rows);
    const left = Math.max(region.x, segment.x);
    const right = Math.min(region.x + region.width, segment.x + layout.segmentWidth);
    if (at.end - at.start < (Math.min(bottom, layout.height) - segment.y) * rowBytes)
      throw new MicroscopyError(
        "truncated",
        `${file.uri}: strip or tile ${segment.index} has ${at.end - at.start} bytes, ${segment.rows * rowBytes} are needed`,
      );
    const needed = (right - left) * pixelBytes;
    if (rowBytes - needed <= gap) {
      ranges.push({
        start: at.start + (top - segment.y) * rowBytes,
        end: at.start + (bottom - segment.y) * rowBytes,
      });
      places.push({ segment, from: segment.x, y: top, rows: bottom - top, columns: layout.segmentWidth });
      held += (bottom - top) * rowBytes;
    } else
      for (let y = top; y < bottom; y++) {
        const start = at.start + (y - segment.y) * rowBytes + (left - segment.x) * pixelBytes;
        ranges.push({ start, end: start + needed });
        places.push({ segment, from: left, y, rows: 1, columns: right - left });
        held += needed;
      }
    if (held >= batchBytes) await flush();
  }
  if (ranges.length > 0) await flush();
}

async function decodeAll(
  page: PageRef,
  region: Region,
  segments: readonly Segment[],
  out: Uint8Array<ArrayBuffer>,
  cache: SegmentCache,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { layout, file, ifd, shift } = page;
  const tables = layout.compression === JPEG ? await tagBytes(file, ifd, 347, signal) : undefined;
  const keyOf = (segment: Segment) => `${file.uri}#${ifd.offset}+${shift}/${segment.index}`;
  // What was used up is not asked for again so soon, unless it came from afar.
  const keeps = (segment: Segment) =>
    file.blocks.source.remote ||
    segment.x < region.x ||
    segment.y < region.y ||
    segment.x + layout.segmentWidth > region.x + region.width ||
    segment.y + segment.rows > region.y + region.height;
  const batchBytes = file.blocks.source.remote ? REMOTE_BATCH_BYTES : LOCAL_BATCH_BYTES;
  let batch: { segment: Segment; range: Range }[] = [];
  let held = 0;
  const flush = async () => {
    const ranges = batch.map(({ range }) => range);
    await withRanges(file.blocks.source, ranges, signal, async (raws) => {
      for (const [i, { segment }] of batch.entries()) {
        signal?.throwIfAborted();
        const where = `${file.uri}, page at ${ifd.offset}, strip or tile ${segment.index}`;
        const visible = {
          width: Math.min(layout.segmentWidth, layout.width - segment.x),
          height: Math.min(segment.rows, layout.height - segment.y),
        };
        const raw = raws[i]!;
        const decoded = decodeSegment(layout, raw, segment.rows, visible, tables, file.littleEndian, where);
        // Awaited only where it must be: kernels share their memory with all other readers.
        const bytes = decoded instanceof Promise ? await decoded : decoded;
        place(layout, segment, layout.segmentWidth, bytes, region, out);
        if (keeps(segment)) cache.put(keyOf(segment), bytes);
      }
    });
    batch = [];
    held = 0;
  };
  for (const segment of segments) {
    const known = cache.get(keyOf(segment));
    if (known !== undefined) {
      place(layout, segment, layout.segmentWidth, known, region, out);
      continue;
    }
    const range = placeOf(page, segment);
    if (range === undefined) continue;
    batch.push({ segment, range });
    held += range.end - range.start;
    if (held >= batchBytes) await flush();
  }
  if (batch.length > 0) await flush();
}

/** Copies what a segment and a region have in common. `columns` is the width of the segment's bytes. */
function place(
  layout: PageLayout,
  segment: Segment,
  columns: number,
  bytes: Uint8Array<ArrayBuffer>,
  region: Region,
  out: Uint8Array<ArrayBuffer>,
): void {
  const unit = sampleBytes(layout.pixelType);
  const { samples, separate } = layout;
  const pixel = unit * (separate ? 1 : samples);
  const left = Math.max(region.x, segment.x);
  const right = Math.min(region.x + region.width, segment.x + columns);
  const top = Math.max(region.y, segment.y);
  const bottom = Math.min(region.y + region.height, segment.y + segment.rows);
  if (!separate && columns === region.width && right - left === columns) {
    const row = columns * pixel;
    const from = (top - segment.y) * row;
    out.set(bytes.subarray(from, from + (bottom - top) * row), (top - region.y) * row);
    return;
  }
  for (let y = top; y < bottom; y++) {
    const from = ((y - segment.y) * columns + (left - segment.x)) * pixel;
    const to = ((y - region.y) * region.width + (left - region.x)) * unit * samples;
    if (!separate) out.set(bytes.subarray(from, from + (right - left) * pixel), to);
    else interleave(bytes, from, out, to + segment.sample * unit, right - left, unit, unit * samples);
  }
}

function interleave(
  from: Uint8Array,
  fromAt: number,
  to: Uint8Array,
  toAt: number,
  count: number,
  unit: number,
  step: number,
): void {
  for (let i = 0, at = toAt; i < count; i++, at += step)
    for (let k = 0; k < unit; k++) to[at + k] = from[fromAt + i * unit + k]!;
}
