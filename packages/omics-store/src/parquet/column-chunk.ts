import type { Bounds, ColumnChunkBytes, ScalarField } from "./column-buffer.ts";
import { SCALAR_PAGE_ROWS } from "./column-buffer.ts";
import { type Compression, encoding } from "./format.ts";
import {
  type ByteSink,
  byteSink,
  putBytes,
  putHybrid,
  putRun,
  putUint32,
  reserve,
  withLength,
} from "./levels.ts";
import { dataPage, dictionaryPage } from "./page.ts";

/** A dictionary longer than this, or one that hardly repeats, costs more than it saves. */
const MAX_DICTIONARY_BYTES = 1 << 20;

/** Longer values are left out of bounds: they would bloat the metadata. */
const MAX_BOUND_BYTES = 64;

interface Slice {
  from: number;
  to: number;
}

function slices(rows: number): Slice[] {
  const out: Slice[] = [];
  for (let from = 0; from < rows; from += SCALAR_PAGE_ROWS)
    out.push({ from, to: Math.min(rows, from + SCALAR_PAGE_ROWS) });
  return out;
}

/** Which of `rows` rows have a value, `missing` being one byte each. */
function putPresence(out: ByteSink, missing: Uint8Array, nulls: number): void {
  const rows = missing.length;
  withLength(out, () => {
    if (nulls === 0 || nulls === rows) putRun(out, nulls === 0 ? 1 : 0, rows, 1);
    else
      putHybrid(
        out,
        missing.map((byte) => 1 - byte),
        rows,
        1,
      );
  });
}

function countOnes(bytes: Uint8Array): number {
  let ones = 0;
  for (let i = 0; i < bytes.length; i++) ones += bytes[i]!;
  return ones;
}

/** The values whose byte in `missing` is 0. */
function withoutMissing<T extends Int32Array | Float64Array>(
  values: T,
  missing: Uint8Array,
  nulls: number,
): T {
  if (nulls === 0) return values;
  const kept = values.slice(nulls) as T;
  let at = 0;
  for (let i = 0; i < values.length; i++) if (missing[i] === 0) kept[at++] = values[i]!;
  return kept;
}

type Compare = (a: Uint8Array, b: Uint8Array) => number;

function chunkOf(
  dictionary: ColumnChunkBytes["dictionary"],
  pages: ColumnChunkBytes["pages"],
  values: number,
  encodings: number[],
  compare: Compare,
): ColumnChunkBytes {
  const bounds: Bounds = { min: undefined, max: undefined, nulls: 0 };
  let known = true;
  for (const { bounds: b, rows } of pages) {
    bounds.nulls += b.nulls;
    if (b.nulls === rows) continue;
    if (b.min === undefined || b.max === undefined) {
      known = false;
      continue;
    }
    if (bounds.min === undefined || compare(b.min, bounds.min) < 0) bounds.min = b.min;
    if (bounds.max === undefined || compare(b.max, bounds.max) > 0) bounds.max = b.max;
  }
  if (!known) bounds.min = bounds.max = undefined;
  return { dictionary, pages, bounds, encodings, values };
}

/** Strings as codes into the distinct ones, −1 for none; with a dictionary where that is shorter. */
export function encodeStrings(
  texts: readonly string[],
  codes: Int32Array,
  optional: boolean,
  compression: Compression,
): ColumnChunkBytes {
  const distinct = texts.map((text): Uint8Array => Buffer.from(text, "utf8"));
  const { missing, dictionaryBytes, plainBytes } = sizesOf(distinct, codes);
  const useful =
    distinct.length > 0 && dictionaryBytes <= MAX_DICTIONARY_BYTES && dictionaryBytes * 2 <= plainBytes;
  if (!useful)
    return encodeTexts(
      Array.from(codes, (code) => texts[code] ?? null),
      optional,
      compression,
    );
  const width = Math.max(1, 32 - Math.clz32(distinct.length - 1));
  const pages = slices(codes.length).map(({ from, to }) => {
    const out = byteSink();
    const gone = missing.subarray(from, to);
    const nulls = countOnes(gone);
    if (optional) putPresence(out, gone, nulls);
    const present = withoutMissing(codes.subarray(from, to), gone, nulls);
    putBytes(out, Uint8Array.of(width));
    putHybrid(out, present, present.length, width);
    const body = out.bytes.subarray(0, out.at);
    return {
      page: dataPage(body, to - from, encoding.RLE_DICTIONARY, compression),
      firstRow: from,
      rows: to - from,
      bounds: stringBounds(present, distinct, nulls),
    };
  });
  const used = [encoding.PLAIN, encoding.RLE, encoding.RLE_DICTIONARY];
  return chunkOf(stringDictionary(distinct, compression), pages, codes.length, used, Buffer.compare);
}

/** Strings as they stand, null for none. */
export function encodeTexts(
  texts: readonly (string | null)[],
  optional: boolean,
  compression: Compression,
): ColumnChunkBytes {
  const pages = slices(texts.length).map(({ from, to }) => {
    const out = byteSink();
    const page = texts.slice(from, to);
    const gone = Uint8Array.from(page, (text) => (text === null ? 1 : 0));
    const nulls = countOnes(gone);
    if (optional) putPresence(out, gone, nulls);
    const ascii = putTexts(out, page);
    // Only then do strings compare as their bytes do.
    const bounds = ascii ? textBounds(page, nulls) : byteBounds(page, nulls);
    const body = out.bytes.subarray(0, out.at);
    return {
      page: dataPage(body, to - from, encoding.PLAIN, compression),
      firstRow: from,
      rows: to - from,
      bounds,
    };
  });
  return chunkOf(undefined, pages, texts.length, [encoding.PLAIN, encoding.RLE], Buffer.compare);
}

function textBounds(texts: readonly (string | null)[], nulls: number): Bounds {
  let min: string | undefined;
  let max: string | undefined;
  for (const text of texts) {
    if (text === null) continue;
    if (min === undefined || text < min) min = text;
    if (max === undefined || text > max) max = text;
  }
  const bytes = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text));
  return shortBounds(bytes(min), bytes(max), nulls);
}

function byteBounds(texts: readonly (string | null)[], nulls: number): Bounds {
  const present = texts.flatMap((text) => (text === null ? [] : [Buffer.from(text)]));
  return stringBounds(Int32Array.from(present.keys()), present, nulls);
}

/** Which rows have no value, and what the values take with and without a dictionary. */
function sizesOf(distinct: readonly Uint8Array[], codes: Int32Array) {
  const sizes = Int32Array.from(distinct, (bytes) => bytes.length + 4);
  const missing = new Uint8Array(codes.length);
  let plainBytes = 0;
  for (let row = 0; row < codes.length; row++) {
    const code = codes[row]!;
    if (code === -1) missing[row] = 1;
    else plainBytes += sizes[code]!;
  }
  return { missing, dictionaryBytes: sizes.reduce((sum, size) => sum + size, 0), plainBytes };
}

function putString(out: ByteSink, bytes: Uint8Array): void {
  putUint32(out, bytes.length);
  putBytes(out, bytes);
}

/** As `putString` for each, without a buffer for each. Says whether all of them are ASCII. */
function putTexts(out: ByteSink, texts: readonly (string | null)[]): boolean {
  let units = 0;
  for (const text of texts) units += text === null ? 0 : text.length;
  // No UTF-16 unit takes more than three bytes in UTF-8.
  reserve(out, 4 * texts.length + 3 * units);
  const target = Buffer.from(out.bytes.buffer, out.bytes.byteOffset, out.bytes.length);
  let written = 0;
  for (const text of texts) {
    if (text === null) continue;
    const length = target.write(text, out.at + 4, "utf8");
    target.writeUInt32LE(length, out.at);
    out.at += 4 + length;
    written += length;
  }
  return written === units;
}

function stringDictionary(distinct: readonly Uint8Array[], compression: Compression) {
  const out = byteSink();
  for (const bytes of distinct) putString(out, bytes);
  return dictionaryPage(out.bytes.subarray(0, out.at), distinct.length, compression);
}

function stringBounds(codes: Int32Array, distinct: readonly Uint8Array[], nulls: number): Bounds {
  let min: Uint8Array | undefined;
  let max: Uint8Array | undefined;
  const seen = new Uint8Array(distinct.length);
  for (const code of codes) {
    if (seen[code] === 1) continue;
    seen[code] = 1;
    const bytes = distinct[code]!;
    if (min === undefined || Buffer.compare(bytes, min) < 0) min = bytes;
    if (max === undefined || Buffer.compare(bytes, max) > 0) max = bytes;
  }
  return shortBounds(min, max, nulls);
}

function shortBounds(min: Uint8Array | undefined, max: Uint8Array | undefined, nulls: number): Bounds {
  const short = (min?.length ?? 0) <= MAX_BOUND_BYTES && (max?.length ?? 0) <= MAX_BOUND_BYTES;
  return { min: short ? min : undefined, max: short ? max : undefined, nulls };
}

/** Numbers and booleans, PLAIN. */
export function encodeNumbers(
  field: ScalarField,
  values: Float64Array,
  missing: Uint8Array,
  compression: Compression,
): ColumnChunkBytes {
  const pages = slices(values.length).map((slice) => {
    const { from, to } = slice;
    const out = byteSink();
    const gone = missing.subarray(from, to);
    const nulls = countOnes(gone);
    if (field.optional) putPresence(out, gone, nulls);
    const present = withoutMissing(values.subarray(from, to), gone, nulls);
    putPlain(out, field.type, present);
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (const value of present) {
      if (value < min) min = value;
      if (value > max) max = value;
    }
    const some = present.length > 0;
    const bounds: Bounds = {
      min: some ? boundBytes(field.type, min, -0) : undefined,
      max: some ? boundBytes(field.type, max, 0) : undefined,
      nulls,
    };
    const page = dataPage(out.bytes.subarray(0, out.at), to - from, encoding.PLAIN, compression);
    return { page, firstRow: from, rows: to - from, bounds };
  });
  const compare: Compare = (a, b) => numberOf(field.type, a) - numberOf(field.type, b);
  return chunkOf(undefined, pages, values.length, [encoding.PLAIN, encoding.RLE], compare);
}

function putPlain(out: ByteSink, type: ScalarField["type"], values: Float64Array): void {
  reserve(out, values.length * 8 + 8);
  const view = new DataView(out.bytes.buffer);
  switch (type) {
    case "double":
      for (const value of values) {
        view.setFloat64(out.at, value, true);
        out.at += 8;
      }
      return;
    case "int64":
      for (const value of values) {
        putInt64(view, out.at, value);
        out.at += 8;
      }
      return;
    case "int32":
      for (const value of values) {
        view.setInt32(out.at, value, true);
        out.at += 4;
      }
      return;
    default: {
      const bytes = Math.ceil(values.length / 8);
      out.bytes.fill(0, out.at, out.at + bytes);
      for (let i = 0; i < values.length; i++)
        if (values[i] === 1) out.bytes[out.at + (i >> 3)]! |= 1 << (i & 7);
      out.at += bytes;
    }
  }
}

function putInt64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / 2 ** 32);
  view.setUint32(at, value - high * 2 ** 32, true);
  view.setInt32(at + 4, high, true);
}

/** `zero` is the sign a bound of zero has: readers may not tell 0 from −0 when they filter, so bounds must include both. */
function boundBytes(type: ScalarField["type"], value: number, zero: number): Uint8Array {
  const bytes = new Uint8Array(type === "bool" ? 1 : type === "int32" ? 4 : 8);
  const view = new DataView(bytes.buffer);
  if (type === "double") view.setFloat64(0, value === 0 ? zero : value, true);
  else if (type === "int64") putInt64(view, 0, value);
  else if (type === "int32") view.setInt32(0, value, true);
  else bytes[0] = value;
  return bytes;
}

function numberOf(type: ScalarField["type"], bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer);
  switch (type) {
    case "double":
      return view.getFloat64(0, true);
    case "int64":
      return Number(view.getBigInt64(0, true));
    case "int32":
      return view.getInt32(0, true);
    default:
      return bytes[0]!;
  }
}
