const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Bits of IEEE 754 binary16, rounded to nearest even; exact for what was read from float16. */
export function toFloat16Bits(values: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    float[0] = values[i]!;
    out[i] = halfBits(bits[0]!);
  }
  return out;
}

function halfBits(single: number): number {
  const sign = (single >>> 16) & 0x8000;
  const exponent = (single >>> 23) & 255;
  const fraction = single & 0x7fffff;
  // NaN keeps a bit, so that it does not become infinite.
  if (exponent === 255) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200 | (fraction >>> 13));
  const half = exponent - 127 + 15;
  if (half >= 31) return sign | 0x7c00;
  if (half <= -11) return sign;
  const shift = half > 0 ? 13 : 14 - half;
  const mantissa = half > 0 ? fraction : fraction | 0x800000;
  const kept = (mantissa >>> shift) | (half > 0 ? half << 10 : 0);
  const rest = mantissa & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  const up = rest > middle || (rest === middle && (kept & 1) === 1);
  return sign | (kept + (up ? 1 : 0));
}
