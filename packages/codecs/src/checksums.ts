import { type Arena, reserve } from "./arena.ts";

/** Bytes of one pass over the arena when a checksum that can go on runs over more. */
const passBytes = 256 * 1024;

/** CRC-32C (Castagnoli; RFC 3720, B.4), continued from `before` (0 to begin). */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const { kernels, bytes: memory, areas } = reserve([Math.min(bytes.length, passBytes)]);
  const at = areas[0]!;
  let crc = before;
  for (let from = 0; from < bytes.length; from += passBytes) {
    const part = bytes.subarray(from, from + passBytes);
    memory.set(part, at);
    crc = kernels.crc32c(at, part.length, crc) >>> 0;
  }
  return crc;
}

/** Adler-32 (RFC 1950, 8.2). */
export function adler32(bytes: Uint8Array): number {
  return whole(bytes, ({ kernels, areas }) => kernels.adler32(areas[0]!, bytes.length));
}

/** Fletcher's checksum over big-endian 16-bit words, as the filter of HDF5 has it. */
export function fletcher32(bytes: Uint8Array): number {
  return whole(bytes, ({ kernels, areas }) => kernels.fletcher32(areas[0]!, bytes.length));
}

function whole(bytes: Uint8Array, sum: (arena: Arena) => number): number {
  const arena = reserve([bytes.length]);
  arena.bytes.set(bytes, arena.areas[0]!);
  return sum(arena) >>> 0;
}
