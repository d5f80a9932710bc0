/**
 * FARM_FINGERPRINT: FarmHash Fingerprint64 (farmhashna, Google, 2014) as a signed int64. Bins are ordered by it, so it must agree bit for bit
 * with BigQuery's function of that name.
 */
const k0 = 0xc3a5c85c97cb3127n;
const k1 = 0xb492b66fbe98f273n;
const k2 = 0x9ae16a3b2f90404fn;
const u64 = (x: bigint): bigint => BigInt.asUintN(64, x);
const rotate = (x: bigint, by: bigint): bigint => u64((x >> by) | (x << (64n - by)));
const shiftMix = (x: bigint): bigint => x ^ (x >> 47n);

function hash16(u: bigint, v: bigint, mul: bigint): bigint {
  let a = u64((u ^ v) * mul);
  a ^= a >> 47n;
  let b = u64((v ^ a) * mul);
  b ^= b >> 47n;
  return u64(b * mul);
}

function hashUpTo16(s: DataView): bigint {
  const n = s.byteLength;
  const mul = k2 + BigInt(n) * 2n;
  if (n >= 8) {
    const a = u64(s.getBigUint64(0, true) + k2);
    const b = s.getBigUint64(n - 8, true);
    const c = u64(rotate(b, 37n) * mul + a);
    const d = u64((rotate(a, 25n) + b) * mul);
    return hash16(c, d, u64(mul));
  }
  if (n >= 4) {
    const a = BigInt(s.getUint32(0, true));
    return hash16(u64(BigInt(n) + (a << 3n)), BigInt(s.getUint32(n - 4, true)), u64(mul));
  }
  if (n === 0) return k2;
  const y = BigInt(s.getUint8(0) + (s.getUint8(n >> 1) << 8));
  const z = BigInt(n + (s.getUint8(n - 1) << 2));
  return u64(shiftMix(u64(y * k2) ^ u64(z * k0)) * k2);
}

function hash17to32(s: DataView): bigint {
  const n = s.byteLength;
  const mul = u64(k2 + BigInt(n) * 2n);
  const a = u64(s.getBigUint64(0, true) * k1);
  const b = s.getBigUint64(8, true);
  const c = u64(s.getBigUint64(n - 8, true) * mul);
  const d = u64(s.getBigUint64(n - 16, true) * k2);
  return hash16(
    u64(rotate(u64(a + b), 43n) + rotate(c, 30n) + d),
    u64(a + rotate(u64(b + k2), 18n) + c),
    mul,
  );
}

function hash33to64(s: DataView): bigint {
  const n = s.byteLength;
  const mul = u64(k2 + BigInt(n) * 2n);
  const a = u64(s.getBigUint64(0, true) * k2);
  const b = s.getBigUint64(8, true);
  const c = u64(s.getBigUint64(n - 8, true) * mul);
  const d = u64(s.getBigUint64(n - 16, true) * k2);
  const y = u64(rotate(u64(a + b), 43n) + rotate(c, 30n) + d);
  const z = hash16(y, u64(a + rotate(u64(b + k2), 18n) + c), mul);
  const e = u64(s.getBigUint64(16, true) * mul);
  const f = s.getBigUint64(24, true);
  const g = u64((y + s.getBigUint64(n - 32, true)) * mul);
  const h = u64((z + s.getBigUint64(n - 24, true)) * mul);
  return hash16(u64(rotate(u64(e + f), 43n) + rotate(g, 30n) + h), u64(e + rotate(u64(f + a), 18n) + g), mul);
}

function weak32(s: DataView, at: number, seedA: bigint, seedB: bigint): [bigint, bigint] {
  const z = s.getBigUint64(at + 24, true);
  let a = u64(seedA + s.getBigUint64(at, true));
  let b = rotate(u64(seedB + a + z), 21n);
  const c = a;
  a = u64(a + s.getBigUint64(at + 8, true) + s.getBigUint64(at + 16, true));
  b = u64(b + rotate(a, 44n));
  return [u64(a + z), u64(b + c)];
}

function hashLong(s: DataView): bigint {
  const n = s.byteLength;
  let x = 81n;
  let y = u64(81n * k1 + 113n);
  let z = u64(shiftMix(u64(y * k2 + 113n)) * k2);
  let v: [bigint, bigint] = [0n, 0n];
  let w: [bigint, bigint] = [0n, 0n];
  x = u64(x * k2 + s.getBigUint64(0, true));
  const round = (at: number, mul: bigint, weight: bigint): void => {
    x = u64(rotate(u64(x + y + v[0] + s.getBigUint64(at + 8, true)), 37n) * mul);
    y = u64(rotate(u64(y + v[1] + s.getBigUint64(at + 48, true)), 42n) * mul);
    x ^= u64(w[1] * weight);
    y = u64(y + v[0] * weight + s.getBigUint64(at + 40, true));
    z = u64(rotate(u64(z + w[0]), 33n) * mul);
    v = weak32(s, at, u64(v[1] * mul), u64(x + w[0]));
    w = weak32(s, at + 32, u64(z + w[1]), u64(y + s.getBigUint64(at + 16, true)));
    [z, x] = [x, z];
  };
  const end = Math.floor((n - 1) / 64) * 64;
  for (let at = 0; at < end; at += 64) round(at, k1, 1n);
  const mul = u64(k1 + ((z & 0xffn) << 1n));
  w[0] = u64(w[0] + BigInt((n - 1) & 63));
  v[0] = u64(v[0] + w[0]);
  w[0] = u64(w[0] + v[0]);
  round(n - 64, mul, 9n);
  return hash16(u64(hash16(v[0], w[0], mul) + shiftMix(y) * k0 + z), u64(hash16(v[1], w[1], mul) + x), mul);
}

/** FARM_FINGERPRINT of a string (its UTF-8 bytes) or of bytes, any length: a signed 64-bit integer. */
export function farmFingerprint(text: string | Uint8Array): bigint {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const s = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const n = s.byteLength;
  const hash = n <= 16 ? hashUpTo16(s) : n <= 32 ? hash17to32(s) : n <= 64 ? hash33to64(s) : hashLong(s);
  return BigInt.asIntN(64, hash);
}
