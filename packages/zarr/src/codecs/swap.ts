/** A copy with every group of `unit` bytes reversed; what is left over at the end stays. */
export function swapBytes(bytes: Uint8Array, unit: number): Uint8Array {
  const out = Buffer.from(bytes);
  const whole = out.subarray(0, out.length - (out.length % unit));
  if (unit === 2) whole.swap16();
  else if (unit === 4) whole.swap32();
  else if (unit === 8) whole.swap64();
  return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
}
