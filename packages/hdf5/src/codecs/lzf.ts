/**
 * LZF: a control byte below 32 announces literals, any other a back reference of 3 bits length and 13 bits distance.
 * Source: the format comment of liblzf; filter id 32000 of h5py.
 */
export function decodeLzf(input: Uint8Array, maxBytes: number): Uint8Array {
  const out = new Uint8Array(maxBytes);
  let from = 0;
  let to = 0;
  while (from < input.length) {
    const control = input[from++]!;
    if (control < 32) {
      const count = control + 1;
      if (from + count > input.length || to + count > maxBytes)
        throw new RangeError("LZF: literal run beyond the end");
      out.set(input.subarray(from, from + count), to);
      from += count;
      to += count;
      continue;
    }
    let count = control >> 5;
    if (count === 7) count += input[from++] ?? 0;
    count += 2;
    const low = input[from++];
    if (low === undefined) throw new RangeError("LZF: input ends inside a back reference");
    const source = to - ((control & 31) << 8) - low - 1;
    if (source < 0 || to + count > maxBytes) throw new RangeError("LZF: back reference out of bounds");
    // Source and target may overlap: a run of one byte is written this way.
    for (let i = 0; i < count; i++) out[to + i] = out[source + i]!;
    to += count;
  }
  return out.subarray(0, to);
}
