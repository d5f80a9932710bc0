import { MicroscopyError } from "../errors.ts";
import type { Codestream } from "./codestream.ts";

/** A codestream, and what the boxes around it, if any, say of its colours (ISO/IEC 15444-1, annex I). */
export interface Unwrapped {
  readonly codestream: Uint8Array<ArrayBuffer>;
  /** sYCC. */
  readonly isYcc: boolean;
}

/** EnumCS values of `colr`. */
const SRGB = 16;
const GREY = 17;
const SYCC = 18;

/**
 * The codestream within JP2 boxes, or the bytes themselves where they are one already.
 *
 * @throws MicroscopyError `corrupt`, `unsupported`.
 */
export function unwrapJp2(bytes: Uint8Array<ArrayBuffer>, where: string): Unwrapped {
  if (bytes[0] === 0xff && bytes[1] === 0x4f) return { codestream: bytes, isYcc: false };
  let isYcc = false;
  let codestream: Uint8Array<ArrayBuffer> | undefined;
  for (const { type, content } of boxesOf(bytes)) {
    if (type === "jp2c") codestream ??= content;
    if (type !== "jp2h") continue;
    for (const { type: inner, content: value } of boxesOf(content)) {
      if (inner === "colr" && value[0] === 1 && value.length >= 7) isYcc ||= value[6] === SYCC;
      if (inner === "pclr")
        throw new MicroscopyError("unsupported", `${where}: JPEG 2000 data with a palette`);
      if (inner === "cdef" && !isInOrder(value))
        throw new MicroscopyError("unsupported", `${where}: JPEG 2000 components in another order`);
    }
  }
  if (codestream === undefined)
    throw new MicroscopyError("corrupt", `${where}: JPEG 2000 data without a start`);
  return { codestream, isYcc };
}

function* boxesOf(
  bytes: Uint8Array<ArrayBuffer>,
): Generator<{ type: string; content: Uint8Array<ArrayBuffer> }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const stated = view.getUint32(at);
    const long = stated === 1 && at + 16 <= bytes.length;
    const length = long ? Number(view.getBigUint64(at + 8)) : stated === 0 ? bytes.length - at : stated;
    const head = long ? 16 : 8;
    if (length < head) return;
    yield { type, content: bytes.subarray(at + head, Math.min(bytes.length, at + length)) };
    at += length;
  }
}

/** Is every colour where it is without that box? */
function isInOrder(cdef: Uint8Array): boolean {
  for (let at = 2; at + 6 <= cdef.length; at += 6) {
    const [channel, type, colour] = [0, 2, 4].map((i) => cdef[at + i]! * 256 + cdef[at + i + 1]!);
    if (type === 0 && colour !== 0 && colour !== channel! + 1) return false;
  }
  return true;
}

/**
 * What stands before a codestream of `length` bytes to make it a JP2 file with these components as its channels, which have `space`.
 * Every channel is used as it is; a palette of one entry is there because mapping needs one.
 */
export function jp2Head(
  frame: Codestream,
  length: number,
  channels: readonly number[],
  space: "ycc" | "plain",
): Uint8Array<ArrayBuffer> {
  const depth = frame.bits - 1;
  const colour = space === "ycc" ? SYCC : channels.length === 1 ? GREY : SRGB;
  const asItIs = channels.length === frame.components && channels.every((channel, i) => channel === i);
  const boxes = [
    box("ihdr", [...long(frame.height), ...long(frame.width), ...short(frame.components), depth, 7, 0, 0]),
    box("colr", [1, 0, 0, ...long(colour)]),
  ];
  if (!asItIs)
    boxes.push(
      box("pclr", [
        ...short(1),
        channels.length,
        ...channels.map(() => depth),
        ...channels.flatMap(() => (depth > 7 ? [0, 0] : [0])),
      ]),
      box(
        "cmap",
        channels.flatMap((channel) => [...short(channel), 0, 0]),
      ),
    );
  return Uint8Array.from([
    ...box("jP  ", [0x0d, 0x0a, 0x87, 0x0a]),
    ...box("ftyp", [...text("jp2 "), 0, 0, 0, 0, ...text("jp2 ")]),
    ...box("jp2h", boxes.flat()),
    ...long(8 + length),
    ...text("jp2c"),
  ]);
}

const text = (value: string): number[] => Array.from(value, (char) => char.charCodeAt(0));
const short = (value: number): number[] => [value >> 8, value & 255];
const long = (value: number): number[] => [
  value >>> 24,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];
const box = (type: string, content: readonly number[]): number[] => [
  ...long(8 + content.length),
  ...text(type),
  ...content,
];
