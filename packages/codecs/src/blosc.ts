import { type Arena, reserve, type Span, view } from "./arena.ts";
import { CodecError, checked, corrupt } from "./errors.ts";
import { inflateAt, unzstd } from "./inflate.ts";

/** Of c-blosc 1: blocks are split by byte of the element up to 16 of them, when each part has at least 128 bytes. */
const maxSplits = 16;
const minSplitBytes = 128;
const headerBytes = 16;
const flag = { shuffle: 1, copied: 2, bitshuffle: 4, whole: 16 };
const compressors = ["blosclz", "lz4", "snappy", "zlib", "zstd"] as const;

interface Header {
  flags: number;
  typeBytes: number;
  size: number;
  blockBytes: number;
  compressor: (typeof compressors)[number];
}

/**
 * A container of Blosc 1 (c-blosc, README_CHUNK_FORMAT.rst) of at most `maxBytes`; `into` takes the bytes where it has just that length.
 *
 * @throws CodecError "corrupt"; "unsupported" for a container of Blosc 2
 */
export function decodeBlosc(bytes: Uint8Array, maxBytes: number, into?: Uint8Array): Uint8Array {
  const header = readHeader(bytes, maxBytes);
  if (header.flags & flag.copied) return bytes.slice(headerBytes);
  const out = into?.length === header.size ? into : new Uint8Array(header.size);
  // Input, block, shuffled block: the container is put into the arena once, blocks are taken out while the cache has them.
  const arena = reserve([bytes.length, header.blockBytes, header.blockBytes]);
  const [at, block, scratch] = arena.areas as [number, number, number];
  arena.bytes.set(bytes, at);
  decodeBlocks(arena, { at, length: bytes.length }, header, scratch, (done, length) => ({
    at: block,
    decoded: () => out.set(arena.bytes.subarray(block, block + length), done),
  }));
  return out;
}

/**
 * The same inside an arena.
 *
 * @param scratch as much room as `to` has
 */
export function bloscAt(arena: Arena, from: Span, to: number, room: number, scratch: number): number {
  const header = readHeader(view(arena, from), room);
  if (header.flags & flag.copied) {
    arena.bytes.copyWithin(to, from.at + headerBytes, from.at + from.length);
    return header.size;
  }
  decodeBlocks(arena, from, header, scratch, (done) => ({ at: to + done }));
  return header.size;
}

function readHeader(bytes: Uint8Array, maxBytes: number): Header {
  if (bytes.length < headerBytes) throw corrupt(`blosc: ${bytes.length} bytes, the header has 16`);
  const stored = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = stored.getUint8(0);
  if (version > 2) {
    throw new CodecError("unsupported", `a blosc container of version ${version}; only blosc 1 is read`);
  }
  const flags = stored.getUint8(2);
  const compressor = compressors[flags >> 5];
  if (compressor === undefined) throw corrupt(`blosc: compressor ${flags >> 5} is unknown`);
  const size = stored.getUint32(4, true);
  const blockBytes = stored.getUint32(8, true);
  const length = stored.getUint32(12, true);
  if (length !== bytes.length) {
    throw corrupt(`blosc: header says ${length} bytes, there are ${bytes.length}`);
  }
  if (size > maxBytes) {
    throw corrupt(`blosc: header says ${size} decoded bytes, at most ${maxBytes} expected`);
  }
  if (flags & flag.copied) {
    if (length !== headerBytes + size) {
      throw corrupt(`blosc: ${length - headerBytes} copied bytes, header says ${size}`);
    }
  } else if (size > 0 && (blockBytes === 0 || blockBytes > size)) {
    throw corrupt(`blosc: blocks of ${blockBytes} bytes in ${size}`);
  }
  return { flags, typeBytes: stored.getUint8(3) || 1, size, blockBytes, compressor };
}

/** Where a block goes, and what to do when it is there. */
interface Place {
  at: number;
  decoded?: () => void;
}

function decodeBlocks(
  arena: Arena,
  container: Span,
  header: Header,
  scratch: number,
  place: (done: number, length: number) => Place,
): void {
  const { size, blockBytes, typeBytes, flags } = header;
  const { kernels, bytes: memory } = arena;
  const blocks = size === 0 ? 0 : Math.ceil(size / blockBytes);
  const streamsFrom = headerBytes + blocks * 4;
  const containerEnd = container.length;
  if (streamsFrom > containerEnd) throw corrupt(`blosc: no room for ${blocks} block offsets`);
  const stored = new DataView(memory.buffer, container.at, containerEnd);
  const mixed = flags & (flag.shuffle | flag.bitshuffle);
  for (let block = 0; block < blocks; block++) {
    const start = stored.getUint32(headerBytes + block * 4, true);
    const length = Math.min(blockBytes, size - block * blockBytes);
    const { at, decoded } = place(block * blockBytes, length);
    readStreams(start, length, mixed ? scratch : at);
    if (flags & flag.shuffle) kernels.unshuffle(scratch, at, length, typeBytes);
    else if (flags & flag.bitshuffle) unbitshuffle(length, at);
    decoded?.();
  }

  function readStreams(start: number, length: number, to: number): void {
    const split =
      !(flags & flag.whole) &&
      typeBytes <= maxSplits &&
      Math.floor(blockBytes / typeBytes) >= minSplitBytes &&
      length === blockBytes;
    const streams = split ? typeBytes : 1;
    const part = Math.floor(length / streams);
    if (part * streams !== length) throw corrupt(`blosc: ${length} bytes in ${streams} streams`);
    let from = start;
    for (let stream = 0; stream < streams; stream++) {
      if (from < streamsFrom || from + 4 > containerEnd) throw corrupt("blosc: block beyond the end");
      const bytes = stored.getUint32(from, true);
      from += 4;
      if (bytes > containerEnd - from) throw corrupt("blosc: stream beyond the end");
      decodeStream({ at: container.at + from, length: bytes }, to + stream * part, part);
      from += bytes;
    }
  }

  function decodeStream(from: Span, to: number, length: number): void {
    if (from.length === length) {
      memory.copyWithin(to, from.at, from.at + length);
      return;
    }
    const made = decompress(arena, header.compressor, from, to, length);
    if (made !== length) throw corrupt(`blosc: a stream holds ${made} bytes, expected ${length}`);
  }

  /** c-blosc leaves blocks alone whose element count is not a multiple of 8. */
  function unbitshuffle(length: number, at: number): void {
    const count = Math.floor(length / typeBytes);
    const whole = count % 8 === 0 ? count * typeBytes : 0;
    if (whole > 0) kernels.unbitshuffle(scratch, at, count, typeBytes);
    memory.copyWithin(at + whole, scratch + whole, scratch + length);
  }
}

function decompress(
  arena: Arena,
  compressor: Header["compressor"],
  from: Span,
  to: number,
  length: number,
): number {
  if (compressor === "zlib") return inflateAt(arena, from, to, length);
  if (compressor === "zstd") {
    const plain = unzstd(view(arena, from), length);
    arena.bytes.set(plain, to);
    return plain.length;
  }
  return checked(arena.kernels[compressor](from.at, from.length, to, length), `blosc, ${compressor}`);
}
