import * as zlib from "node:zlib";

/** Blosc 1 containers, made step by step after c-blosc's description of the format, to hold the decoder against. */
export interface BloscOptions {
  codec: "blosclz" | "lz4" | "zlib" | "zstd";
  shuffle: "none" | "bytes" | "bits";
  typeBytes: number;
  blockBytes: number;
  /** Forbid splitting a block by the bytes of its elements. */
  whole?: boolean;
  copied?: boolean;
}

const codes = { blosclz: 0, lz4: 1, zlib: 3, zstd: 4 };

export function naiveBlosc(bytes: Uint8Array, options: BloscOptions): Uint8Array {
  const { codec, shuffle, typeBytes, whole = false, copied = false } = options;
  // As c-blosc does it: not longer than the data, and of whole elements.
  const limit = Math.min(options.blockBytes, bytes.length);
  const blockBytes = limit > typeBytes ? limit - (limit % typeBytes) : limit;
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length && !copied; at += blockBytes) {
    const plain = bytes.subarray(at, at + blockBytes);
    const mixed = { none: (x: Uint8Array) => x, bytes: shuffled, bits: bitShuffled }[shuffle](
      plain,
      typeBytes,
    );
    const splits =
      !whole && typeBytes <= 16 && Math.floor(blockBytes / typeBytes) >= 128 && plain.length === blockBytes;
    const parts = splits ? typeBytes : 1;
    const size = plain.length / parts;
    const streams: Uint8Array[] = [];
    for (let part = 0; part < parts; part++) {
      const piece = mixed.subarray(part * size, (part + 1) * size);
      const packed = compress(piece, codec);
      // A stream that did not shrink is kept as it is; the length says so.
      const stored = packed.length < piece.length ? packed : piece;
      const length = Buffer.alloc(4);
      length.writeInt32LE(stored.length);
      streams.push(length, stored);
    }
    blocks.push(Buffer.concat(streams));
  }
  const header = Buffer.alloc(16 + (copied ? 0 : blocks.length * 4));
  const flags =
    (shuffle === "bytes" ? 1 : 0) | (copied ? 2 : 0) | (shuffle === "bits" ? 4 : 0) | (whole ? 16 : 0);
  header.set([2, 1, flags | (codes[codec] << 5), typeBytes]);
  header.writeUInt32LE(bytes.length, 4);
  header.writeUInt32LE(blockBytes, 8);
  let at = header.length;
  for (const [i, block] of blocks.entries()) {
    header.writeUInt32LE(at, 16 + i * 4);
    at += block.length;
  }
  const body = copied ? [bytes] : blocks;
  const out = Buffer.concat([header, ...body]);
  out.writeUInt32LE(out.length, 12);
  return new Uint8Array(out);
}

function compress(bytes: Uint8Array, codec: BloscOptions["codec"]): Uint8Array {
  if (codec === "zlib") return zlib.deflateSync(bytes);
  if (codec === "zstd") return zlib.zstdCompressSync(bytes);
  return codec === "lz4" ? naiveLz4(bytes) : naiveBlosclz(bytes);
}

function shuffled(bytes: Uint8Array, typeBytes: number): Uint8Array {
  const out = bytes.slice();
  const count = Math.floor(bytes.length / typeBytes);
  for (let i = 0; i < count; i++)
    for (let k = 0; k < typeBytes; k++) out[k * count + i] = bytes[i * typeBytes + k]!;
  return out;
}

/** Row b holds bit b of every element. Left alone where the elements are no multiple of 8. */
export function bitShuffled(bytes: Uint8Array, typeBytes: number): Uint8Array {
  const out = bytes.slice();
  const count = Math.floor(bytes.length / typeBytes);
  if (count % 8 !== 0) return out;
  out.fill(0, 0, count * typeBytes);
  for (let bit = 0; bit < typeBytes * 8; bit++) {
    for (let i = 0; i < count; i++) {
      const set = (bytes[i * typeBytes + (bit >> 3)]! >> (bit & 7)) & 1;
      out[(bit * count + i) >> 3]! |= set << (i & 7);
    }
  }
  return out;
}

/** The longest earlier run that goes on as the bytes at `at` do, found by trying all. */
function findMatch(bytes: Uint8Array, at: number, maxDistance: number): { distance: number; length: number } {
  let best = { distance: 0, length: 0 };
  for (let distance = 1; distance <= Math.min(at, maxDistance, 300); distance++) {
    let length = 0;
    while (
      at + length < bytes.length &&
      bytes[at + length] === bytes[at + length - distance] &&
      length < 5000
    )
      length++;
    if (length > best.length) best = { distance, length };
  }
  return best;
}

export function naiveLz4(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  const extended = (value: number) => {
    for (let left = value - 15; left >= 0; left -= 255) out.push(Math.min(left, 255));
  };
  let literalsFrom = 0;
  const sequence = (at: number, match: { distance: number; length: number } | undefined) => {
    const literals = at - literalsFrom;
    const token = match === undefined ? 0 : match.length - 4;
    out.push((Math.min(literals, 15) << 4) | Math.min(token, 15));
    extended(literals);
    out.push(...bytes.subarray(literalsFrom, at));
    if (match === undefined) return;
    out.push(match.distance & 255, match.distance >> 8);
    extended(token);
    literalsFrom = at + match.length;
  };
  for (let at = 0; at < bytes.length; ) {
    const match = findMatch(bytes, at, 65535);
    // The last bytes are always literals.
    if (match.length >= 4 && at + match.length <= bytes.length - 5) {
      sequence(at, match);
      at = literalsFrom;
    } else at++;
  }
  sequence(bytes.length, undefined);
  return Uint8Array.from(out);
}

export function naiveBlosclz(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  let literalsFrom = 0;
  const literals = (end: number) => {
    for (let from = literalsFrom; from < end; from += 32) {
      const run = bytes.subarray(from, Math.min(end, from + 32));
      out.push(run.length - 1, ...run);
    }
  };
  for (let at = 0; at < bytes.length; ) {
    const { distance, length } = findMatch(bytes, at, 8191);
    if (at === 0 || length < 4 || at + length > bytes.length - 1) {
      at++;
      continue;
    }
    literals(at);
    const far = distance - 1;
    const code = length - 3;
    out.push((Math.min(code + 1, 7) << 5) | (far >> 8));
    if (code >= 6) for (let left = code - 6; left >= 0; left -= 255) out.push(Math.min(left, 255));
    out.push(far & 255);
    at += length;
    literalsFrom = at;
  }
  literals(bytes.length);
  return Uint8Array.from(out);
}
