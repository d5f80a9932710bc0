import { MicroscopyError } from "../errors.ts";

/** `offset` has 4 bytes, 8 in BigTIFF. A rational is numerator and denominator. */
export type Tag =
  | {
      readonly tag: number;
      readonly type: "short" | "long" | "offset" | "rational";
      readonly values: readonly number[];
    }
  | { readonly tag: number; readonly type: "ascii"; readonly text: string };

/**
 * A little-endian directory at a place of a file, with what does not fit its entries behind it. Tags in ascending order.
 *
 * @throws MicroscopyError `too-large` when an offset does not fit classic TIFF.
 */
export function encodeDirectory(tags: readonly Tag[], at: number, next: number, big: boolean): Uint8Array {
  const entryBytes = big ? 20 : 12;
  const inline = big ? 8 : 4;
  const values = tags.map((tag) => valueBytes(tag, big));
  const head = (big ? 8 : 2) + tags.length * entryBytes + inline;
  const place: number[] = [];
  let length = head;
  for (const { bytes } of values) {
    place.push(length);
    if (bytes.length > inline) length += bytes.length + (bytes.length % 2);
  }
  const directory = new Uint8Array(length);
  const view = new DataView(directory.buffer);
  if (big) view.setBigUint64(0, BigInt(tags.length), true);
  else view.setUint16(0, tags.length, true);
  for (const [i, tag] of tags.entries()) {
    const entry = (big ? 8 : 2) + i * entryBytes;
    const { type, count, bytes } = values[i]!;
    view.setUint16(entry, tag.tag, true);
    view.setUint16(entry + 2, type, true);
    setOffset(view, entry + 4, count, big);
    if (bytes.length <= inline) directory.set(bytes, entry + (big ? 12 : 8));
    else {
      setOffset(view, entry + (big ? 12 : 8), at + place[i]!, big);
      directory.set(bytes, place[i]!);
    }
  }
  setOffset(view, head - inline, next, big);
  return directory;
}

function valueBytes(tag: Tag, big: boolean): { type: number; count: number; bytes: Uint8Array } {
  if (tag.type === "ascii") {
    const bytes = Buffer.from(`${tag.text}\0`);
    return { type: 2, count: bytes.length, bytes };
  }
  const { values } = tag;
  if (tag.type === "short")
    return { type: 3, count: values.length, bytes: new Uint8Array(Uint16Array.from(values).buffer) };
  if (tag.type === "rational")
    return { type: 5, count: values.length / 2, bytes: new Uint8Array(Uint32Array.from(values).buffer) };
  if (tag.type === "offset" && big)
    return {
      type: 16,
      count: values.length,
      bytes: new Uint8Array(BigUint64Array.from(values, BigInt).buffer),
    };
  const over = values.find((value) => value >= 2 ** 32);
  if (over !== undefined) throw tooFar(over);
  return { type: 4, count: values.length, bytes: new Uint8Array(Uint32Array.from(values).buffer) };
}

function setOffset(view: DataView, at: number, value: number, big: boolean): void {
  if (big) view.setBigUint64(at, BigInt(value), true);
  else if (value >= 2 ** 32) throw tooFar(value);
  else view.setUint32(at, value, true);
}

function tooFar(value: number): MicroscopyError {
  return new MicroscopyError("too-large", `A TIFF of 4 GB cannot have anything at ${value}; set bigTiff`);
}
