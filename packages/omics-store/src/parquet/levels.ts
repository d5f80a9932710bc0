/**
 * Repetition and definition levels, and dictionary indices: Parquet's RLE / bit-packing hybrid.
 */

/** Bytes that are appended to; `take` copies them out. */
export interface ByteSink {
  bytes: Uint8Array;
  at: number;
}

export const byteSink = (): ByteSink => ({ bytes: new Uint8Array(4096), at: 0 });

export function reserve(out: ByteSink, bytes: number): void {
  if (out.at + bytes <= out.bytes.length) return;
  const grown = new Uint8Array(Math.max(out.bytes.length * 2, out.at + bytes));
  grown.set(out.bytes.subarray(0, out.at));
  out.bytes = grown;
}

export function putVarint(out: ByteSink, value: number): void {
  reserve(out, 5);
  let rest = value;
  while (rest > 127) {
    out.bytes[out.at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out.bytes[out.at++] = rest;
}

export function putUint32(out: ByteSink, value: number): void {
  reserve(out, 4);
  new DataView(out.bytes.buffer).setUint32(out.at, value, true);
  out.at += 4;
}

export function putBytes(out: ByteSink, bytes: Uint8Array): void {
  reserve(out, bytes.length);
  out.bytes.set(bytes, out.at);
  out.at += bytes.length;
}

/** A run of one value, of `width` bits (at most 32). */
export function putRun(out: ByteSink, value: number, count: number, width: number): void {
  if (count === 0) return;
  putVarint(out, count * 2);
  reserve(out, 4);
  for (let bits = 0; bits < width; bits += 8) out.bytes[out.at++] = (value >>> bits) & 255;
}

/** Writes what `write` appends behind its length, as version 1 pages have their levels. */
export function withLength(out: ByteSink, write: () => void): void {
  const start = out.at;
  putUint32(out, 0);
  write();
  new DataView(out.bytes.buffer).setUint32(start, out.at - start - 4, true);
}

/** Runs of eight and more as such, the rest packed in eights. */
export function putHybrid(out: ByteSink, values: ArrayLike<number>, count: number, width: number): void {
  let packedFrom = 0;
  let at = 0;
  while (at < count) {
    const value = values[at]!;
    let end = at + 1;
    while (end < count && values[end] === value) end++;
    // Packed values go in whole eights: fill the last one from this run.
    const missing = (8 - ((at - packedFrom) & 7)) & 7;
    if (end - at - missing >= 8) {
      putPacked(out, values, packedFrom, at + missing, width);
      putRun(out, value, end - at - missing, width);
      packedFrom = end;
    }
    at = end;
  }
  putPacked(out, values, packedFrom, count, width);
}

/** Values `from`..`to` in eights; the last eight is filled with zeros. */
function putPacked(out: ByteSink, values: ArrayLike<number>, from: number, to: number, width: number): void {
  if (to <= from) return;
  const eights = Math.ceil((to - from) / 8);
  putVarint(out, eights * 2 + 1);
  reserve(out, eights * width);
  let bits = 0;
  let held = 0;
  for (let i = from; i < from + eights * 8; i++) {
    let value = i < to ? values[i]! : 0;
    // Byte by byte, so that no shift passes 32 bits.
    for (let left = width; left > 0; ) {
      const take = Math.min(left, 8 - held);
      bits |= (value & ((1 << take) - 1)) << held;
      value >>>= take;
      held += take;
      left -= take;
      if (held === 8) {
        out.bytes[out.at++] = bits;
        bits = 0;
        held = 0;
      }
    }
  }
}

/** Levels of lists: per list a zero, then ones; and whether a list has elements. Both with their lengths before them. */
export function putListLevels(out: ByteSink, lengths: Int32Array): void {
  withLength(out, () => {
    let zeros = 0;
    for (const length of lengths) {
      zeros++;
      if (length <= 1) continue;
      putRun(out, 0, zeros, 1);
      putRun(out, 1, length - 1, 1);
      zeros = 0;
    }
    putRun(out, 0, zeros, 1);
  });
  withLength(out, () => {
    let level = 1;
    let count = 0;
    for (const length of lengths) {
      const next = length === 0 ? 0 : 1;
      if (next !== level) {
        putRun(out, level, count, 1);
        level = next;
        count = 0;
      }
      count += Math.max(1, length);
    }
    putRun(out, level, count, 1);
  });
}
