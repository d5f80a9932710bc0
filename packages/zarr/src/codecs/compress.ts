import * as zlib from "node:zlib";
import { adler32, crc32c, decodeBlosc, decodeLz4Block, gunzip, inflate, unzstd } from "@cytomesh/codecs";
import { ZarrError } from "../errors.ts";
import type { BytesCodec } from "./codec.ts";

function bytesOf(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

export function gzipCodec(level: number): BytesCodec {
  return {
    name: "gzip",
    decode: gunzip,
    // Node leaves the time field of the header at zero, so the bytes depend on the input alone.
    encode: (bytes) => bytesOf(zlib.gzipSync(bytes, { level })),
  };
}

export function zlibCodec(level: number): BytesCodec {
  return {
    name: "zlib",
    decode: inflate,
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
    decode: unzstd,
    // Without the size in the frame header numcodecs refuses what we write.
    encode: (bytes) => bytesOf(zlib.zstdCompressSync(bytes, { params, pledgedSrcSize: bytes.length })),
  };
}

/** Containers of Blosc 1; only read. */
export const bloscCodec: BytesCodec = { name: "blosc", decode: decodeBlosc };

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

export function checkLevel(level: number, low: number, high: number, name: string): number {
  if (Number.isInteger(level) && level >= low && level <= high) return level;
  throw new ZarrError("invalid-argument", `${name} level ${level}, expected ${low} to ${high}`);
}
