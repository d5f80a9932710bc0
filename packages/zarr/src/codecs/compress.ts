import * as zlib from "node:zlib";
import { ZarrError } from "../errors.ts";
import { crc32c, decodeLz4Block } from "../kernels.ts";
import type { BytesCodec } from "./codec.ts";

/** Output comes in pieces of this size: one piece for a chunk of usual size, and little waste for a small one. */
function bounds(stored: Uint8Array, maxBytes: number): { maxOutputLength: number; chunkSize: number } {
  const likely = Math.min(maxBytes + 64, stored.length * 8 + 1024);
  return {
    maxOutputLength: Math.max(1, maxBytes),
    chunkSize: Math.max(1024, Math.min(likely, 16 * 1024 * 1024)),
  };
}

function bytesOf(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

export function gzipCodec(level: number): BytesCodec {
  return {
    name: "gzip",
    decode: (bytes, maxBytes) => bytesOf(zlib.gunzipSync(bytes, bounds(bytes, maxBytes))),
    // Node leaves the time field of the header at zero, so the bytes depend on the input alone.
    encode: (bytes) => bytesOf(zlib.gzipSync(bytes, { level })),
  };
}

export function zlibCodec(level: number): BytesCodec {
  return {
    name: "zlib",
    decode: (bytes, maxBytes) => bytesOf(zlib.inflateSync(bytes, bounds(bytes, maxBytes))),
    encode: (bytes) => bytesOf(zlib.deflateSync(bytes, { level })),
  };
}

export function zstdCodec(level: number, checksum: boolean): BytesCodec {
  const params = {
    [zlib.constants.ZSTD_c_compressionLevel]: level,
    [zlib.constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0,
  };
  return {
    name: "zstd",
    decode: (bytes, maxBytes) => bytesOf(zlib.zstdDecompressSync(bytes, bounds(bytes, maxBytes))),
    // Without the size in the frame header numcodecs refuses what we write.
    encode: (bytes) => bytesOf(zlib.zstdCompressSync(bytes, { params, pledgedSrcSize: bytes.length })),
  };
}

/** numcodecs' LZ4: the decoded size as a little-endian int32, then one LZ4 block. */
export const lz4Codec: BytesCodec = {
  name: "lz4",
  decode(bytes, maxBytes) {
    if (bytes.length < 4) throw new RangeError("LZ4: shorter than its header");
    const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (size > maxBytes) throw new RangeError(`LZ4: header says ${size} bytes, at most ${maxBytes} expected`);
    const out = decodeLz4Block(bytes.subarray(4), size);
    if (out.length !== size) throw new RangeError(`LZ4: ${out.length} bytes, header says ${size}`);
    return out;
  },
};

/** Appends (or, with "start", prepends) a little-endian checksum of 4 bytes. */
export function checksumCodec(kind: "crc32" | "adler32" | "crc32c", at: "start" | "end"): BytesCodec {
  const sum = { crc32: (bytes: Uint8Array) => zlib.crc32(bytes), adler32, crc32c }[kind];
  return {
    name: kind,
    decode(bytes) {
      if (bytes.length < 4) throw new RangeError(`${kind}: ${bytes.length} bytes hold no checksum`);
      const body = at === "end" ? bytes.subarray(0, -4) : bytes.subarray(4);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const said = view.getUint32(at === "end" ? body.length : 0, true);
      const found = sum(body) >>> 0;
      if (said !== found) throw new RangeError(`${kind} is ${hex(found)}, stored ${hex(said)}`);
      return body;
    },
    encode(bytes) {
      const out = new Uint8Array(bytes.length + 4);
      out.set(bytes, at === "end" ? 0 : 4);
      new DataView(out.buffer).setUint32(at === "end" ? bytes.length : 0, sum(bytes), true);
      return out;
    },
    encodedSize: (size) => size + 4,
  };
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let from = 0; from < bytes.length; from += 3800) {
    for (const byte of bytes.subarray(from, from + 3800)) {
      low += byte;
      high += low;
    }
    low %= 65521;
    high %= 65521;
  }
  return ((high << 16) | low) >>> 0;
}

export function checkLevel(level: number, low: number, high: number, name: string): number {
  if (Number.isInteger(level) && level >= low && level <= high) return level;
  throw new ZarrError("invalid-argument", `${name} level ${level}, expected ${low} to ${high}`);
}
