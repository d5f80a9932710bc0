/** The levels of a page of lists, read back. Level streams are checked to hold exactly what the page says. */

export interface ListLengths {
  /** Where every list begins among the values; one entry more than lists. */
  offsets: Int32Array;
  /** First byte behind both level streams. */
  end: number;
}

/** Calls `run` for every run of the hybrid at `from`..`end`, until `total` values are through. False when the bytes hold anything else. */
function eachRun(
  bytes: Uint8Array,
  from: number,
  end: number,
  total: number,
  run: (value: number, count: number) => boolean,
): boolean {
  let at = from;
  let left = total;
  while (left > 0) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= end || shift > 28) return false;
      const byte = bytes[at++]!;
      header += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    if (header % 2 === 0) {
      const count = header / 2;
      const value = bytes[at++]!;
      if (at > end || count < 1 || count > left || value > 1) return false;
      if (!run(value, count)) return false;
      left -= count;
      continue;
    }
    const packed = (header - 1) / 2;
    if (packed < 1 || packed > end - at) return false;
    for (let i = 0; i < packed * 8 && left > 0; i++, left--)
      if (!run((bytes[at + (i >> 3)]! >> (i & 7)) & 1, 1)) return false;
    at += packed;
  }
  return at === end;
}

/** A stream behind its length: where it begins and ends. */
function stream(bytes: Uint8Array, at: number): { from: number; end: number } | undefined {
  if (at + 4 > bytes.length) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
  return length > bytes.length - at - 4 ? undefined : { from: at + 4, end: at + 4 + length };
}

/**
 * Lengths of `rows` lists from the two level streams of `entries` levels at the beginning of a page; undefined when they do not fit. The
 * caller has checked `entries` against the page's size.
 */
export function readListLevels(bytes: Uint8Array, rows: number, entries: number): ListLengths | undefined {
  const repetition = stream(bytes, 0);
  const definition = repetition && stream(bytes, repetition.end);
  if (repetition === undefined || definition === undefined) return undefined;
  const starts = new Int32Array(rows + 1);
  let row = 0;
  let entry = 0;
  const split = eachRun(bytes, repetition.from, repetition.end, entries, (level, count) => {
    if (level === 0) {
      if (count > rows - row) return false;
      for (let i = 0; i < count; i++) starts[row++] = entry + i;
    } else if (row === 0) return false;
    entry += count;
    return true;
  });
  if (!split || row !== rows) return undefined;
  starts[rows] = entries;
  // An entry that is not defined is an empty list; what follows moves up by one.
  let empty = 0;
  row = 0;
  entry = 0;
  const offsets = new Int32Array(rows + 1);
  const defined = eachRun(bytes, definition.from, definition.end, entries, (level, count) => {
    const end = entry + count;
    while (row < rows && starts[row]! < end) {
      offsets[row] = starts[row]! - empty;
      if (level === 0) {
        if (starts[row] !== entry || starts[row + 1] !== entry + 1) return false;
        entry++;
        empty++;
      }
      row++;
    }
    if (level === 0 && entry !== end) return false;
    entry = end;
    return true;
  });
  if (!defined) return undefined;
  offsets[rows] = entries - empty;
  return { offsets, end: definition.end };
}
