import { reserve } from "./arena.ts";

/** Bytes that a deflated chunk has at most. */
export function deflateBound(bytes: number): number {
  return bytes + (bytes >> 8) + 4096;
}

/**
 * A zlib stream of runs and literals, made for shuffled numbers and the same on every machine; about what level 1 of zlib gives.
 *
 * @param planes bytes of an element whose bytes were shuffled, 1 to 16: each plane is coded for itself
 */
export function deflate(bytes: Uint8Array, planes = 1): Uint8Array {
  const { kernels, bytes: memory, areas } = reserve([bytes.length, deflateBound(bytes.length)]);
  const [from, to] = areas as [number, number];
  memory.set(bytes, from);
  return memory.slice(to, to + kernels.deflate(from, bytes.length, to, planes));
}
