// A stream of bits, lowest first, and copies of pieces of such streams.

let out: usize = 0;
/** Fewer than eight bits that wait for their byte. */
let held: u64 = 0;
let heldBits: u64 = 0;

export function beginBits(to: usize): void {
  out = to;
  held = 0;
  heldBits = 0;
}

/** Fills up the last byte; the address behind it. */
export function endBits(): usize {
  if (heldBits > 0) putBits(0, 8 - heldBits);
  return out;
}

/** Bits since `start`. */
export function bitsSince(start: usize): u32 {
  return (<u32>(out - start) << 3) + <u32>heldBits;
}

/** At most 56 bits. */
export function putBits(value: u64, bits: u64): void {
  held |= value << heldBits;
  heldBits += bits;
  store<u64>(out, held);
  const whole = heldBits & 56;
  out += <usize>(whole >> 3);
  held >>= whole;
  heldBits &= 7;
}

/** An entry is bits << 8 | their number. */
// @ts-ignore: decorator
@inline
export function putEntry(entry: u64): void {
  putBits(entry >> 8, entry & 63);
}

/** `bits` bits from bit `start` behind `from`. Reads and writes up to 32 bytes further. */
export function copyBits(from: usize, start: u32, bits: u32): void {
  // The bit that becomes the lowest of the byte in hand: those below belong to what is held.
  const first = <i64>start - <i64>heldBits;
  let source = from + <usize>(first >> 3);
  const shift = first & 7;
  const end = heldBits + bits;
  const whole = <usize>(end >> 3);
  const to = out;
  for (let i: usize = 0; i <= whole; i += 16) {
    const low = v128.shr<u64>(v128.load(source), <i32>shift);
    // In two steps: a shift by 64 would be none.
    const high = v128.shl<u64>(v128.shl<u64>(v128.load(source, 8), <i32>(63 - shift)), 1);
    v128.store(to + i, v128.or(low, high));
    source += 16;
  }
  const below: u32 = (1 << <u32>heldBits) - 1;
  store<u8>(to, (<u32>load<u8>(to) & ~below) | <u32>held);
  out = to + whole;
  heldBits = end & 7;
  held = <u64>load<u8>(out) & ((1 << heldBits) - 1);
}
