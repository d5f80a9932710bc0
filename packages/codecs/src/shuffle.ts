import { decoded } from "./arena.ts";

/** Byte k of every element together, for every k; bytes behind the last whole element stay behind. */
export function shuffle(bytes: Uint8Array, elementBytes: number): Uint8Array {
  return decoded(bytes, bytes.length, 0, (arena, from, to) => {
    arena.kernels.shuffle(from.at, to, from.length, elementBytes);
    return from.length;
  });
}

/** Undoes `shuffle`. */
export function unshuffle(bytes: Uint8Array, elementBytes: number): Uint8Array {
  return decoded(bytes, bytes.length, 0, (arena, from, to) => {
    arena.kernels.unshuffle(from.at, to, from.length, elementBytes);
    return from.length;
  });
}
