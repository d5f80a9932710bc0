import * as zlib from "node:zlib";
import { ZarrError } from "../errors.ts";
import { withKernels } from "../kernels.ts";
import type { BytesCodec } from "./codec.ts";

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

/** Blosc 1 containers (c-blosc README_CHUNK_FORMAT.rst); only read. */
export const bloscCodec: BytesCodec = {
  name: "blosc",
  decode(bytes, maxBytes, into) {
    const header = readHeader(bytes, maxBytes);
    if (header.flags & flag.copied) {
      if (bytes.length !== headerBytes + header.size) {
        throw new RangeError(`blosc: ${bytes.length - headerBytes} copied bytes, header says ${header.size}`);
      }
      return bytes.slice(headerBytes);
    }
    return decodeBlocks(bytes, header, into?.length === header.size ? into : new Uint8Array(header.size));
  },
};

function readHeader(bytes: Uint8Array, maxBytes: number): Header {
  if (bytes.length < headerBytes) throw new RangeError(`blosc: ${bytes.length} bytes, the header has 16`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint8(0);
  if (version > 2) {
    throw new ZarrError("unsupported", `a blosc container of version ${version}; only blosc 1 is read`);
  }
  const flags = view.getUint8(2);
  const compressor = compressors[flags >> 5];
  if (compressor === undefined) throw new RangeError(`blosc: compressor ${flags >> 5} is unknown`);
  const header = {
    flags,
    typeBytes: view.getUint8(3) || 1,
    size: view.getUint32(4, true),
    blockBytes: view.getUint32(8, true),
    compressor,
  };
  const stored = view.getUint32(12, true);
  if (stored !== bytes.length)
    throw new RangeError(`blosc: header says ${stored} bytes, there are ${bytes.length}`);
  if (header.size > maxBytes) {
    throw new RangeError(`blosc: header says ${header.size} decoded bytes, at most ${maxBytes} expected`);
  }
  const { size, blockBytes } = header;
  if (size > 0 && (blockBytes === 0 || blockBytes > size)) {
    throw new RangeError(`blosc: blocks of ${blockBytes} bytes in ${size}`);
  }
  return header;
}

function decodeBlocks(bytes: Uint8Array, header: Header, out: Uint8Array): Uint8Array {
  const { size, blockBytes } = header;
  const blocks = size === 0 ? 0 : Math.ceil(size / blockBytes);
  const streamsFrom = headerBytes + blocks * 4;
  if (streamsFrom > bytes.length) throw new RangeError(`blosc: no room for ${blocks} block offsets`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Input, block, shuffled block: the whole container is put into wasm memory once.
  withKernels([bytes.length, blockBytes, blockBytes], (kernels, at, memory) => {
    const [inputAt, plainAt, workAt] = at as [number, number, number];
    memory.set(bytes, inputAt);
    for (let block = 0; block < blocks; block++) {
      const start = view.getUint32(headerBytes + block * 4, true);
      const length = Math.min(blockBytes, size - block * blockBytes);
      const mixed = header.flags & (flag.shuffle | flag.bitshuffle);
      const decodedAt = mixed ? workAt : plainAt;
      readStreams(start, length, decodedAt);
      if (header.flags & flag.shuffle) kernels.unshuffle(workAt, plainAt, length, header.typeBytes);
      else if (header.flags & flag.bitshuffle) unbitshuffle(length);
      out.set(memory.subarray(plainAt, plainAt + length), block * blockBytes);
    }

    function readStreams(start: number, length: number, to: number): void {
      const split =
        !(header.flags & flag.whole) &&
        header.typeBytes <= maxSplits &&
        Math.floor(blockBytes / header.typeBytes) >= minSplitBytes &&
        length === blockBytes;
      const streams = split ? header.typeBytes : 1;
      const part = Math.floor(length / streams);
      if (part * streams !== length) throw new RangeError(`blosc: ${length} bytes in ${streams} streams`);
      let from = start;
      for (let stream = 0; stream < streams; stream++) {
        if (from < streamsFrom || from + 4 > bytes.length)
          throw new RangeError("blosc: block beyond the end");
        const stored = view.getUint32(from, true);
        from += 4;
        if (stored > bytes.length - from) throw new RangeError("blosc: stream beyond the end");
        decodeStream(from, stored, to + stream * part, part);
        from += stored;
      }
    }

    function decodeStream(from: number, stored: number, to: number, length: number): void {
      if (stored === length) {
        memory.copyWithin(to, inputAt + from, inputAt + from + length);
        return;
      }
      let made: number;
      if (header.compressor === "lz4") made = kernels.lz4(inputAt + from, stored, to, length);
      else if (header.compressor === "blosclz") made = kernels.blosclz(inputAt + from, stored, to, length);
      else {
        const plain = inflate(header.compressor, bytes.subarray(from, from + stored), length);
        memory.set(plain, to);
        made = plain.length;
      }
      if (made !== length) throw new RangeError(`blosc: a stream holds ${made} bytes, expected ${length}`);
    }

    /** c-blosc leaves blocks alone whose element count is not a multiple of 8. */
    function unbitshuffle(length: number): void {
      const count = Math.floor(length / header.typeBytes);
      const whole = count % 8 === 0 ? count * header.typeBytes : 0;
      if (whole > 0) kernels.unbitshuffle(workAt, plainAt, count, header.typeBytes);
      memory.copyWithin(plainAt + whole, workAt + whole, workAt + length);
    }
  });
  return out;
}

function inflate(compressor: Header["compressor"], bytes: Uint8Array, maxOutputLength: number): Uint8Array {
  const bounds = { maxOutputLength, chunkSize: Math.max(1024, maxOutputLength) };
  if (compressor === "zlib") return zlib.inflateSync(bytes, bounds);
  if (compressor === "zstd") return zlib.zstdDecompressSync(bytes, bounds);
  throw new ZarrError("unsupported", `blosc with ${compressor}; write the array with zstd or lz4`);
}
