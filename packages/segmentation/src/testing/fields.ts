/** Uniform numbers in [0, 1), seeded (Lehmer's generator). */
export function uniform(seed: number): () => number {
  let state = seed % 2_147_483_647 || 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** A disc of a generated field. */
export interface Disc {
  readonly y: number;
  readonly x: number;
  readonly radius: number;
}

/** A uint16 field: bright discs with noise over a dim background. */
export function discField(width: number, height: number, discs: readonly Disc[], seed = 1): Uint16Array {
  const random = uniform(seed);
  const pixels = new Uint16Array(width * height);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      const inside = discs.some((disc) => (disc.y - y) ** 2 + (disc.x - x) ** 2 <= disc.radius ** 2);
      pixels[i] = Math.floor((inside ? 30_000 : 2_000) + 1_500 * random());
    }
  return pixels;
}

/** Any uint16 values. */
export function noise(length: number, seed = 7): Uint16Array {
  const random = uniform(seed);
  return Uint16Array.from({ length }, () => Math.floor(random() * 65_536));
}
