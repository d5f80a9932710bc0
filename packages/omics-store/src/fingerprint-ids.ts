import { OmicsStoreError } from "./errors.ts";
import { farmFingerprint } from "./fingerprint.ts";

/*
 * Fingerprints of decimal ids without BigInt: a 64-bit word is a pair of int32 halves, and `hi`/`lo` below are the registers that the
 * helpers return through (a returned pair would be an allocation per multiplication).
 */
const K0_LO = 0x97cb3127 | 0;
const K0_HI = 0xc3a5c85c | 0;
const K2_LO = 0x2f90404f | 0;
const K2_HI = 0x9ae16a3b | 0;
let lo = 0;
let hi = 0;

/** (hi, lo) = a · b mod 2^64, by 16-bit limbs of the low halves. */
function multiply(aLo: number, aHi: number, bLo: number, bHi: number): void {
  const a0 = aLo & 0xffff;
  const a1 = aLo >>> 16;
  const b0 = bLo & 0xffff;
  const b1 = bLo >>> 16;
  const p00 = Math.imul(a0, b0) >>> 0;
  const p01 = Math.imul(a0, b1) >>> 0;
  const p10 = Math.imul(a1, b0) >>> 0;
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  const carry = (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16);
  hi = (Math.imul(a1, b1) + carry + Math.imul(aLo, bHi) + Math.imul(aHi, bLo)) | 0;
  lo = (middle << 16) | (p00 & 0xffff);
}

function add(aLo: number, aHi: number, bLo: number, bHi: number): void {
  const sum = (aLo >>> 0) + (bLo >>> 0);
  hi = (aHi + bHi + (sum > 0xffffffff ? 1 : 0)) | 0;
  lo = sum | 0;
}

/** x ^ (x >> 47): only the low half changes. */
const mixLow = (xLo: number, xHi: number): number => xLo ^ (xHi >>> 15);

function hash16(uLo: number, uHi: number, vLo: number, vHi: number, mLo: number, mHi: number): void {
  multiply(uLo ^ vLo, uHi ^ vHi, mLo, mHi);
  multiply(vLo ^ mixLow(lo, hi), vHi ^ hi, mLo, mHi);
  multiply(mixLow(lo, hi), hi, mLo, mHi);
}

function word(b: Uint8Array, at: number): number {
  return b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24);
}

function hash8to16(b: Uint8Array, at: number, n: number): void {
  const mLo = (K2_LO + 2 * n) | 0; // no carry: the low half of k2 is far below 2^32 − 32
  add(word(b, at), word(b, at + 4), K2_LO, K2_HI);
  const aLo = lo;
  const aHi = hi;
  const bLo = word(b, at + n - 8);
  const bHi = word(b, at + n - 4);
  multiply((bHi >>> 5) | (bLo << 27), (bLo >>> 5) | (bHi << 27), mLo, K2_HI); // rotate 37 = swap halves, rotate 5
  add(lo, hi, aLo, aHi);
  const cLo = lo;
  const cHi = hi;
  add((aLo >>> 25) | (aHi << 7), (aHi >>> 25) | (aLo << 7), bLo, bHi);
  multiply(lo, hi, mLo, K2_HI);
  hash16(cLo, cHi, lo, hi, mLo, K2_HI);
}

function hashDigits(b: Uint8Array, at: number, n: number): void {
  if (n >= 8) {
    hash8to16(b, at, n);
    return;
  }
  if (n >= 4) {
    const a = word(b, at);
    add(a << 3, a >>> 29, n, 0);
    hash16(lo, hi, word(b, at + n - 4), 0, (K2_LO + 2 * n) | 0, K2_HI);
    return;
  }
  multiply(b[at]! + (b[at + (n >> 1)]! << 8), 0, K2_LO, K2_HI);
  const yLo = lo;
  const yHi = hi;
  multiply(n + (b[at + n - 1]! << 2), 0, K0_LO, K0_HI);
  const xHi = yHi ^ hi;
  multiply(mixLow(yLo ^ lo, xHi), xHi, K2_LO, K2_HI);
}

/**
 * FARM_FINGERPRINT(CAST(id + seed AS STRING)) of every id. The sum is exact; sums outside the safe integers take a slower path.
 * Throws `id_out_of_range` when an id is not an integer, or id + seed leaves int64.
 */
export function farmFingerprintIds(ids: Float64Array | BigInt64Array, seed: number): BigInt64Array {
  if (!Number.isSafeInteger(seed))
    throw new OmicsStoreError("invalid_request", `seed must be a safe integer, got ${seed}`);
  const result = new BigInt64Array(ids.length);
  const halves = new Int32Array(result.buffer);
  const digits = new Uint8Array(16);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    const sum = typeof id === "bigint" ? Number(id) + seed : id + seed;
    const exact = typeof id === "bigint" ? Number.isSafeInteger(Number(id)) : Number.isSafeInteger(id);
    if (!exact || !Number.isSafeInteger(sum) || sum < 0) {
      result[i] = slowFingerprint(id, seed, i);
      continue;
    }
    let at = 16;
    let rest = sum;
    do {
      const next = Math.floor(rest / 10);
      digits[--at] = 48 + (rest - next * 10);
      rest = next;
    } while (rest > 0);
    hashDigits(digits, at, 16 - at);
    halves[2 * i] = lo;
    halves[2 * i + 1] = hi;
  }
  return result;
}

function slowFingerprint(id: number | bigint, seed: number, row: number): bigint {
  if (typeof id === "number" && !Number.isInteger(id))
    throw new OmicsStoreError("id_out_of_range", `cell id at row ${row} is ${id}; an integer was expected`);
  const sum = BigInt(id) + BigInt(seed);
  if (BigInt.asIntN(64, sum) !== sum)
    throw new OmicsStoreError("id_out_of_range", `cell id ${id} + seed ${seed} does not fit int64`);
  return farmFingerprint(sum.toString());
}
