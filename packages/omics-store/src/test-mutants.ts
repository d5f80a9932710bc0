/** Seeded damage to files. */

/** mulberry32: whole numbers below 2^32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

const extremes = [0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff];

/** One damaged copy: bits flipped, numbers overwritten, ranges zeroed, moved or doubled, the file cut or extended. Half the time near its end. */
export function mutant(original: Uint8Array, random: () => number): Uint8Array {
  // Not slice(): of a Buffer that is a view.
  const bytes = new Uint8Array(original);
  const below = (limit: number): number => random() % Math.max(1, limit);
  const place = (): number =>
    random() % 2 === 0 ? below(bytes.length) : bytes.length - 1 - below(Math.min(bytes.length, 2048));
  const view = new DataView(bytes.buffer);
  switch (random() % 8) {
    case 0:
      return bytes.slice(0, below(bytes.length));
    case 1: {
      const longer = new Uint8Array(bytes.length + 1 + below(64));
      longer.set(bytes);
      for (let i = bytes.length; i < longer.length; i++) longer[i] = random();
      return longer;
    }
    case 2:
      view.setUint32(
        Math.max(0, Math.min(place(), bytes.length - 4)),
        extremes[below(extremes.length)]!,
        true,
      );
      return bytes;
    case 3: {
      const at = place();
      bytes.fill(0, at, at + below(32));
      return bytes;
    }
    case 4: {
      const from = place();
      bytes.copyWithin(place(), from, from + below(64));
      return bytes;
    }
    case 5:
      bytes[place()] = extremes[below(extremes.length)]!;
      return bytes;
    default:
      for (let n = 1 + below(4); n > 0; n--) bytes[place()]! ^= 1 << below(8);
      return bytes;
  }
}
