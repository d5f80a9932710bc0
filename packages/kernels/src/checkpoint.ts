import { crc32 } from "node:zlib";
import { KernelError } from "./errors.ts";
import { emptyGram } from "./gram.ts";
import { emptyMoments } from "./moments.ts";
import type { GramState, Moments } from "./types.ts";

// Checkpoint layout, little-endian: 8 bytes magic | u32 version | u32 p | f64 n | u32 crc32 of all but these 4 bytes | u32 0 |
// float64 payload. Gram: sum[p], then the upper triangle by rows. Moments: mean[p], m2[p].
const HEADER_BYTES = 32;
const CRC_OFFSET = 24;
const VERSION = 1;
const GRAM_MAGIC = "CYTOGRAM";
const MOMENTS_MAGIC = "CYTOMOMS";

/** Checkpoint bytes of a Gram state: 32 + 8·(p + p(p+1)/2). */
export function serializeGram(state: GramState): Uint8Array {
  const { p, sum, gram } = state;
  const payload = new Float64Array(p + (p * (p + 1)) / 2);
  payload.set(sum);
  for (let row = 0, at = p; row < p; at += p - row, row++) {
    payload.set(gram.subarray(row * p + row, (row + 1) * p), at);
  }
  return encode(GRAM_MAGIC, p, state.n, payload);
}

/** @throws KernelError `corrupt_checkpoint` when the bytes are not those of a Gram state, or were damaged */
export function deserializeGram(bytes: Uint8Array): GramState {
  const checkpoint = decodeGram(bytes);
  const state = emptyGram(checkpoint.p);
  addDecoded(state, checkpoint);
  return state;
}

/**
 * Add the statistics of a checkpoint to `state`, in place: the same sums as `mergeGram(state, deserializeGram(bytes))` without two more
 * matrices in memory.
 *
 * @throws KernelError `corrupt_checkpoint`; `invalid_argument` when the widths differ
 */
export function addSerializedGram(state: GramState, bytes: Uint8Array): GramState {
  const checkpoint = decodeGram(bytes);
  if (checkpoint.p !== state.p)
    throw new KernelError(
      "invalid_argument",
      `cannot merge Gram matrices of ${state.p} and ${checkpoint.p} columns`,
    );
  addDecoded(state, checkpoint);
  return state;
}

const decodeGram = (bytes: Uint8Array) =>
  decode(bytes, GRAM_MAGIC, (columns) => columns + (columns * (columns + 1)) / 2);

function addDecoded(state: GramState, { p, n, payload }: ReturnType<typeof decodeGram>): void {
  const { sum, gram } = state;
  state.n += n;
  for (let i = 0; i < p; i++) sum[i]! += payload[i]!;
  for (let row = 0, at = p; row < p; row++)
    for (let to = row * p + row, end = (row + 1) * p; to < end; to++, at++) gram[to]! += payload[at]!;
}

/** Checkpoint bytes of moments: 32 + 16·p. */
export function serializeMoments(moments: Moments): Uint8Array {
  const p = moments.mean.length;
  const payload = new Float64Array(2 * p);
  payload.set(moments.mean);
  payload.set(moments.m2, p);
  return encode(MOMENTS_MAGIC, p, moments.n, payload);
}

/** @throws KernelError `corrupt_checkpoint` when the bytes are not those of moments, or were damaged */
export function deserializeMoments(bytes: Uint8Array): Moments {
  const { p, n, payload } = decode(bytes, MOMENTS_MAGIC, (columns) => 2 * columns);
  const moments = emptyMoments(p);
  moments.n = n;
  moments.mean.set(payload.subarray(0, p));
  moments.m2.set(payload.subarray(p));
  return moments;
}

function encode(magic: string, p: number, n: number, payload: Float64Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.byteLength);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from(magic, "latin1"));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, p, true);
  view.setFloat64(16, n, true);
  bytes.set(new Uint8Array(payload.buffer), HEADER_BYTES);
  view.setUint32(CRC_OFFSET, checksum(bytes), true);
  return bytes;
}

function decode(
  bytes: Uint8Array,
  magic: string,
  payloadLength: (p: number) => number,
): { p: number; n: number; payload: Float64Array } {
  if (bytes.length < HEADER_BYTES || Buffer.from(bytes.subarray(0, 8)).toString("latin1") !== magic) {
    throw corrupt(`expected a checkpoint beginning with ${magic}, found ${bytes.length} other bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version !== VERSION) throw corrupt(`expected checkpoint version ${VERSION}, found ${version}`);
  const p = view.getUint32(12, true);
  const expected = HEADER_BYTES + 8 * payloadLength(p);
  if (bytes.length !== expected) {
    throw corrupt(`a checkpoint of ${p} columns has ${expected} bytes, found ${bytes.length}`);
  }
  const stored = view.getUint32(CRC_OFFSET, true);
  const found = checksum(bytes);
  if (stored !== found) throw corrupt(`checksum is ${hex(found)}, the header says ${hex(stored)}`);
  const n = view.getFloat64(16, true);
  if (!Number.isSafeInteger(n) || n < 0) throw corrupt(`expected a row count, found ${n}`);
  // The payload of a view into a larger buffer need not be aligned to 8 bytes; then it is copied.
  const aligned = (bytes.byteOffset + HEADER_BYTES) % 8 === 0;
  const payload = aligned
    ? new Float64Array(bytes.buffer as ArrayBuffer, bytes.byteOffset + HEADER_BYTES, payloadLength(p))
    : new Float64Array(bytes.slice(HEADER_BYTES).buffer);
  return { p, n, payload };
}

function checksum(bytes: Uint8Array): number {
  return crc32(bytes.subarray(CRC_OFFSET + 4), crc32(bytes.subarray(0, CRC_OFFSET)));
}

function corrupt(detail: string): KernelError {
  return new KernelError("corrupt_checkpoint", `${detail}: discard it and resume from an earlier one`);
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
