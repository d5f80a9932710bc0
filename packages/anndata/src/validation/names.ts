/**
 * 53 bits of hash of a text, as a number (cyrb53, public domain). Used to find equal ones without holding them all: among 10 million
 * different texts two share a hash with a chance below 1 %, which is why whoever uses it compares the texts themselves.
 */
export function hash53(text: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  return finish(a, b);
}

function finish(first: number, second: number): number {
  let a = Math.imul(first ^ (first >>> 16), 2246822507);
  a ^= Math.imul(second ^ (second >>> 13), 3266489909);
  let b = Math.imul(second ^ (second >>> 16), 2246822507);
  b ^= Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
}

/** The same for the entries of a row: columns and values, zeros left out. `words` are the 32-bit words of the values. */
export function hashEntries(
  indices: Int32Array,
  words: Uint32Array,
  wordsPerValue: number,
  from: number,
  to: number,
): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = from; i < to; i++) {
    const at = i * wordsPerValue;
    const low = words[at] as number;
    const high = wordsPerValue === 2 ? (words[at + 1] as number) : 0;
    if ((low | (high & 0x7fffffff)) === 0 || (wordsPerValue === 1 && (low & 0x7fffffff) === 0)) continue;
    a = Math.imul(a ^ (indices[i] as number), 2654435761);
    b = Math.imul(b ^ (indices[i] as number), 1597334677);
    a = Math.imul(a ^ low, 2246822507);
    b = Math.imul(b ^ low, 3266489909);
    if (wordsPerValue === 2) {
      a = Math.imul(a ^ high, 668265263);
      b = Math.imul(b ^ high, 374761393);
    }
  }
  return finish(a, b);
}

/** Hashes that occur more than once. O(n log n), 8 bytes per hash besides the input. */
export function repeatedHashes(hashes: Float64Array): Set<number> {
  const sorted = hashes.slice().sort();
  const repeated = new Set<number>();
  for (let i = 1; i < sorted.length; i++) if (sorted[i] === sorted[i - 1]) repeated.add(sorted[i] as number);
  return repeated;
}
