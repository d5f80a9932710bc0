import type { BlockReader } from "../bytes/blocks.ts";
import { MicroscopyError } from "../errors.ts";
import type { ReadLimits } from "../types.ts";

/** What all reading in one TIFF needs. */
export interface TiffFile {
  readonly uri: string;
  readonly size: number;
  readonly littleEndian: boolean;
  readonly big: boolean;
  readonly firstIfd: number;
  readonly blocks: BlockReader;
  readonly limits: ReadLimits;
}

/** An image file directory: its entries as they lie in the file. */
export interface Ifd {
  readonly offset: number;
  /** Entries of 12 bytes, or of 20 in BigTIFF. */
  readonly entries: DataView<ArrayBuffer>;
  readonly count: number;
  /** Offset of the next directory; 0 after the last. */
  readonly next: number;
}

/** One entry. `valueAt` is where its value lies in the file. */
export interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly bytes: number;
  readonly valueAt: number;
}

/** Bytes per value of the types of TIFF 6, of supplement 1 (13) and of BigTIFF (16 to 18). */
const typeBytes: Readonly<Record<number, number>> = {
  1: 1,
  2: 1,
  3: 2,
  4: 4,
  5: 8,
  6: 1,
  7: 1,
  8: 2,
  9: 4,
  10: 8,
  11: 4,
  12: 8,
  13: 4,
  16: 8,
  17: 8,
  18: 8,
};

/** Reads the first bytes. Undefined when they are not those of a TIFF. @throws MicroscopyError `truncated`, `corrupt`. */
export async function openTiffFile(
  blocks: BlockReader,
  limits: ReadLimits,
  signal: AbortSignal | undefined,
): Promise<TiffFile | undefined> {
  const { uri, size } = blocks.source;
  if (size < 4) return undefined;
  const head = await blocks.read(0, Math.min(16, size), signal);
  const littleEndian = head[0] === 0x49;
  if (!(littleEndian && head[1] === 0x49) && !(head[0] === 0x4d && head[1] === 0x4d)) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const magic = view.getUint16(2, littleEndian);
  if (magic !== 42 && magic !== 43) return undefined;
  const big = magic === 43;
  if (size < (big ? 16 : 8))
    throw new MicroscopyError(
      "truncated",
      `${uri}: expected a TIFF header of ${big ? 16 : 8} bytes, found ${size}`,
    );
  if (big && (view.getUint16(4, littleEndian) !== 8 || view.getUint16(6, littleEndian) !== 0))
    throw new MicroscopyError("corrupt", `${uri}: expected BigTIFF with offsets of 8 bytes`);
  const firstIfd = big ? Number(view.getBigUint64(8, littleEndian)) : view.getUint32(4, littleEndian);
  return { uri, size, littleEndian, big, firstIfd, blocks, limits };
}

/** The directory at an offset. @throws MicroscopyError `truncated`, `too-large`. */
export async function readIfd(file: TiffFile, offset: number, signal: AbortSignal | undefined): Promise<Ifd> {
  return parseIfd(file, offset, file.blocks.peek) ?? readIfdFar(file, offset, signal);
}

async function readIfdFar(file: TiffFile, offset: number, signal: AbortSignal | undefined): Promise<Ifd> {
  const { blocks, size } = file;
  if (offset < size) await blocks.load(offset, Math.min(size, offset + (file.big ? 528 : 318)), signal);
  const near = parseIfd(file, offset, blocks.peek);
  if (near !== undefined) return near;
  const head = await blocks.read(offset, offset + (file.big ? 8 : 2), signal);
  const bytes = ifdBytes(file, offset, head);
  const whole = await blocks.read(offset, offset + bytes, signal);
  return parseIfd(file, offset, (start, end) => whole.subarray(start - offset, end - offset)) as Ifd;
}

function parseIfd(
  file: TiffFile,
  offset: number,
  peek: (start: number, end: number) => Uint8Array<ArrayBuffer> | undefined,
): Ifd | undefined {
  const { big, littleEndian, uri, size } = file;
  const headBytes = big ? 8 : 2;
  if (offset < 8 || offset + headBytes > size)
    throw new MicroscopyError(
      "truncated",
      `${uri}: a directory at ${offset} lies outside of the file of ${size} bytes`,
    );
  const head = peek(offset, offset + headBytes);
  if (head === undefined) return undefined;
  const bytes = ifdBytes(file, offset, head);
  const body = peek(offset + headBytes, offset + bytes);
  if (body === undefined) return undefined;
  // A copy: the block may be dropped, and a view of few bytes must not hold it.
  const entries = new DataView(body.slice().buffer);
  const end = entries.byteLength - (big ? 8 : 4);
  const next = big ? Number(entries.getBigUint64(end, littleEndian)) : entries.getUint32(end, littleEndian);
  return { offset, entries, count: end / (big ? 20 : 12), next };
}

/** Bytes of a directory with its count and the next offset. */
function ifdBytes(file: TiffFile, offset: number, head: Uint8Array<ArrayBuffer>): number {
  const { big, littleEndian, uri, size, limits } = file;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const count = big ? Number(view.getBigUint64(0, littleEndian)) : view.getUint16(0, littleEndian);
  if (count > limits.maxTags)
    throw new MicroscopyError(
      "too-large",
      `${uri}: a directory at ${offset} has ${count} tags, the limit is ${limits.maxTags}`,
    );
  const bytes = big ? 8 + count * 20 + 8 : 2 + count * 12 + 4;
  if (offset + bytes > size)
    throw new MicroscopyError(
      "truncated",
      `${uri}: a directory at ${offset} needs ${bytes} bytes, the file has ${size} in all`,
    );
  return bytes;
}

/** The entry of a tag, or undefined: also where its type is unknown. */
export function findEntry(file: TiffFile, ifd: Ifd, tag: number): Entry | undefined {
  const { big, littleEndian } = file;
  const step = big ? 20 : 12;
  const { entries } = ifd;
  for (let at = 0, end = ifd.count * step; at < end; at += step) {
    if (entries.getUint16(at, littleEndian) !== tag) continue;
    const type = entries.getUint16(at + 2, littleEndian);
    const unit = typeBytes[type];
    if (unit === undefined) return undefined;
    const count = big
      ? Number(entries.getBigUint64(at + 4, littleEndian))
      : entries.getUint32(at + 4, littleEndian);
    const bytes = count * unit;
    const inline = bytes <= (big ? 8 : 4);
    const here = at + (big ? 12 : 8);
    const valueAt = inline
      ? ifd.offset + (big ? 8 : 2) + here
      : big
        ? Number(entries.getBigUint64(here, littleEndian))
        : entries.getUint32(here, littleEndian);
    return { tag, type, count, bytes, valueAt };
  }
  return undefined;
}

/** A single integer that lies in the entry, without reading: undefined if there is none. */
export function inlineNumber(file: TiffFile, ifd: Ifd, tag: number): number | undefined {
  const entry = findEntry(file, ifd, tag);
  if (entry === undefined || entry.count < 1 || entry.bytes > (file.big ? 8 : 4)) return undefined;
  return decodeNumbers(file, { ...entry, count: 1 }, bytesInEntry(file, ifd, entry))[0];
}

function bytesInEntry(file: TiffFile, ifd: Ifd, entry: Entry): Uint8Array<ArrayBuffer> {
  const at = entry.valueAt - ifd.offset - (file.big ? 8 : 2);
  return new Uint8Array(ifd.entries.buffer, at, entry.bytes);
}

/** The bytes of a value. @throws MicroscopyError `truncated`, `too-large`. */
export async function entryBytes(
  file: TiffFile,
  ifd: Ifd,
  entry: Entry,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const { uri, size, limits, blocks } = file;
  if (entry.bytes <= (file.big ? 8 : 4)) return bytesInEntry(file, ifd, entry);
  if (entry.bytes > limits.maxTagBytes)
    throw new MicroscopyError(
      "too-large",
      `${uri}: tag ${entry.tag} has ${entry.bytes} bytes, the limit is ${limits.maxTagBytes}`,
    );
  if (!(entry.valueAt + entry.bytes <= size))
    throw new MicroscopyError(
      "truncated",
      `${uri}: tag ${entry.tag} lies at ${entry.valueAt} with ${entry.bytes} bytes, the file has ${size}`,
    );
  return blocks.read(entry.valueAt, entry.valueAt + entry.bytes, signal);
}

/** The numbers of a tag (rationals divided), or undefined when it is not there or is text. */
export async function tagNumbers(
  file: TiffFile,
  ifd: Ifd,
  tag: number,
  signal: AbortSignal | undefined,
): Promise<Float64Array | undefined> {
  const entry = findEntry(file, ifd, tag);
  if (entry === undefined || entry.type === 2) return undefined;
  return decodeNumbers(file, entry, await entryBytes(file, ifd, entry, signal));
}

/** The bytes of a tag, whatever their type. */
export async function tagBytes(
  file: TiffFile,
  ifd: Ifd,
  tag: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const entry = findEntry(file, ifd, tag);
  return entry && entryBytes(file, ifd, entry, signal);
}

/** Text of a tag up to its final zero bytes: UTF-8, or Latin-1 where it is not. */
export async function tagText(
  file: TiffFile,
  ifd: Ifd,
  tag: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const bytes = await tagBytes(file, ifd, tag, signal);
  if (bytes === undefined) return undefined;
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  const text = bytes.subarray(0, end);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(text);
  } catch {
    return Buffer.from(text).toString("latin1");
  }
}

function decodeNumbers(file: TiffFile, entry: Entry, bytes: Uint8Array<ArrayBuffer>): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { littleEndian: le } = file;
  const numbers = new Float64Array(entry.count);
  const unit = typeBytes[entry.type] as number;
  for (let i = 0, at = 0; i < entry.count; i++, at += unit) numbers[i] = numberAt(view, at, entry.type, le);
  return numbers;
}

function numberAt(view: DataView, at: number, type: number, le: boolean): number {
  switch (type) {
    case 3:
      return view.getUint16(at, le);
    case 4:
    case 13:
      return view.getUint32(at, le);
    case 5:
      return view.getUint32(at, le) / view.getUint32(at + 4, le);
    case 6:
      return view.getInt8(at);
    case 8:
      return view.getInt16(at, le);
    case 9:
      return view.getInt32(at, le);
    case 10:
      return view.getInt32(at, le) / view.getInt32(at + 4, le);
    case 11:
      return view.getFloat32(at, le);
    case 12:
      return view.getFloat64(at, le);
    case 16:
    case 18:
      return Number(view.getBigUint64(at, le));
    case 17:
      return Number(view.getBigInt64(at, le));
    default:
      return view.getUint8(at);
  }
}
