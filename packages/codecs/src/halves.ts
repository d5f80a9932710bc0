/** Exponents of binary16 are -14 (also that of numbers below 2^-14) to 15; a unit in the last place is 2^(exponent - 10). */
const leastExponent = -14;
const unitsPerOne = Float64Array.from({ length: 30 }, (_, i) => 2 ** (10 - leastExponent - i));
/** From here on numbers round to infinity. */
const beyond = 65520;
/** Adding it to a number below 2^52 and taking it away again rounds to whole, halfway cases to even. */
const toWhole = 2 ** 52;

const double = new Float64Array(1);
const doubleWords = new Uint32Array(double.buffer);
let values: Float32Array | undefined;

/** The value of the bits of an IEEE 754 binary16. `Float16Array` exists from Node 24 on only. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bits of the binary16 nearest to a number, of two equally near the even one; 0x7e00 for NaN. */
export function numberToHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (!(size < beyond)) return size >= beyond ? sign | 0x7c00 : 0x7e00;
  double[0] = size;
  const step = Math.max(0, (doubleWords[1]! >>> 20) - 1023 - leastExponent);
  const units = size * unitsPerOne[step]! + toWhole - toWhole;
  // A whole mantissa has the leading one of normal numbers in it: it counts the exponent up by one.
  return sign | ((step << 10) + units);
}

/** Bits of binary16 as numbers. */
export function fromHalves(bits: Uint16Array): Float32Array<ArrayBuffer> {
  values ??= Float32Array.from({ length: 65536 }, (_, i) => halfToNumber(i));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = values[bits[i]!]!;
  return out;
}

/** Numbers as bits of binary16, rounded as by `numberToHalf`. */
export function toHalves(numbers: Float32Array | Float64Array): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(numbers.length);
  for (let i = 0; i < out.length; i++) out[i] = numberToHalf(numbers[i]!);
  return out;
}
