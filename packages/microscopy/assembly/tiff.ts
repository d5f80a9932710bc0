// The inner loops of TIFF decoding. Buffers lie behind heapBase(); inputs and outputs have 64 bytes of slack behind them.

export { inflate } from "../../codecs/assembly/_inflate";

export function heapBase(): usize {
  return (__heap_base + 15) & ~15;
}

const CLEAR: u32 = 256;
const END: u32 = 257;
const FIRST: u32 = 258;
const TABLE: u32 = 4096;

// @ts-ignore: decorator
@inline
function swap32(x: u32): u32 {
  return rotl<u32>(x & 0xff00ff00, 8) | rotr<u32>(x & 0x00ff00ff, 8);
}

/**
 * TIFF LZW. A table entry is a place in the output and a length: each string of the table was written there before, followed by the
 * byte that made it longer. `old` selects the layout before TIFF 5: least significant bit first, wider codes one entry later.
 * `table` has room for 4096 × 8 bytes. Returns the bytes written, or -1 at a code that cannot be.
 */
export function lzw(from: usize, size: u32, to: usize, capacity: u32, table: usize, old: bool): i32 {
  const inputEnd = from + size;
  const end = to + capacity;
  let input = from;
  let output = to;
  let bits: u64 = 0;
  let held: u32 = 0;
  let width: u32 = 9;
  let next: u32 = FIRST;
  let limit: u32 = old ? 512 : 511;
  let previous: usize = 0;
  let previousLength: u32 = 0;

  while (output < end) {
    if (held < width) {
      if (input >= inputEnd) break;
      // Past the end there are zeros; `held` counts only bits of the input.
      const left = <u32>min<usize>(4, inputEnd - input);
      const word = load<u32>(input);
      if (old) bits |= <u64>word << held;
      else bits = (bits << 32) | swap32(word);
      if (!old && left < 4) bits >>= (4 - left) * 8;
      held += left * 8;
      input += left;
      if (held < width) break;
    }
    let code: u32;
    if (old) {
      code = <u32>bits & ((1 << width) - 1);
      bits >>= width;
    } else code = <u32>(bits >> (held - width)) & ((1 << width) - 1);
    held -= width;

    if (code < CLEAR) {
      store<u8>(output, code);
      if (previousLength != 0 && next < TABLE) {
        store<u64>(table + (next << 3), <u64>previous | (<u64>(previousLength + 1) << 32));
        next++;
      }
      previous = output;
      previousLength = 1;
      output++;
    } else if (code == CLEAR) {
      next = FIRST;
      width = 9;
      limit = old ? 512 : 511;
      previousLength = 0;
      continue;
    } else if (code == END) {
      break;
    } else {
      if (previousLength == 0) return -1;
      let source: usize;
      let length: u32;
      if (code < next) {
        const entry = load<u64>(table + (code << 3));
        source = <usize>(entry & 0xffffffff);
        length = <u32>(entry >> 32);
      } else if (code == next) {
        // The string that is just being made: the previous one and its own first byte.
        source = previous;
        length = previousLength + 1;
      } else return -1;
      if (next < TABLE) {
        store<u64>(table + (next << 3), <u64>previous | (<u64>(previousLength + 1) << 32));
        next++;
      }
      if (length > <u32>(end - output)) length = <u32>(end - output);
      const distance = output - source;
      if (length <= 8 && distance >= <usize>length) {
        store<u64>(output, load<u64>(source));
      } else if (distance >= 8) {
        let at: u32 = 0;
        do {
          store<u64>(output + at, load<u64>(source + at));
          at += 8;
        } while (at < length);
      } else {
        for (let at: u32 = 0; at < length; at++) store<u8>(output + at, load<u8>(source + at));
      }
      previous = output;
      previousLength = length;
      output += length;
    }
    if (next >= limit && width < 12) {
      width++;
      limit = (1 << width) - (old ? 0 : 1);
    }
  }
  return <i32>(output - to);
}

/** PackBits. Returns the bytes written; stops where input or output ends. */
export function packBits(from: usize, size: u32, to: usize, capacity: u32): i32 {
  const inputEnd = from + size;
  const end = to + capacity;
  let input = from;
  let output = to;
  while (input < inputEnd && output < end) {
    const head = <i32>load<i8>(input++);
    if (head >= 0) {
      let length = <usize>(head + 1);
      length = min(min(length, inputEnd - input), end - output);
      let at: usize = 0;
      do {
        v128.store(output + at, v128.load(input + at));
        at += 16;
      } while (at < length);
      input += length;
      output += length;
    } else if (head != -128) {
      if (input >= inputEnd) break;
      const length = min(<usize>(1 - head), end - output);
      const bytes = i8x16.splat(load<i8>(input++));
      let at: usize = 0;
      do {
        v128.store(output + at, bytes);
        at += 16;
      } while (at < length);
      output += length;
    }
  }
  return <i32>(output - to);
}

// @ts-ignore: decorator
@inline
function sumRows<T>(at: usize, rows: u32, width: u32, samples: u32): void {
  const size = sizeof<T>();
  const step = <usize>samples * size;
  for (let row: u32 = 0; row < rows; row++) {
    const end = at + <usize>width * step;
    if (samples == 1) {
      let sum: T = <T>0;
      for (; at < end; at += size) {
        sum += load<T>(at);
        store<T>(at, sum);
      }
    } else {
      for (let p = at + step; p < end; p += size) store<T>(p, load<T>(p) + load<T>(p - step));
      at = end;
    }
  }
}

/** Predictor 1 of 16-bit values with one sample: prefix sums, eight at a time. */
function sumRows16(at: usize, rows: u32, width: u32): void {
  for (let row: u32 = 0; row < rows; row++) {
    const end = at + <usize>width * 2;
    let carry = i16x8.splat(0);
    const zero = i16x8.splat(0);
    for (; at + 16 <= end; at += 16) {
      let v = v128.load(at);
      v = i16x8.add(v, i8x16.shuffle(zero, v, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29));
      v = i16x8.add(v, i8x16.shuffle(zero, v, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27));
      v = i16x8.add(v, i8x16.shuffle(zero, v, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23));
      v = i16x8.add(v, carry);
      v128.store(at, v);
      carry = i8x16.shuffle(v, v, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15);
    }
    let sum = <u16>i16x8.extract_lane_u(carry, 0);
    for (; at < end; at += 2) {
      sum += load<u16>(at);
      store<u16>(at, sum);
    }
  }
}

/** Predictor 2, in place, on values of `size` bytes in the order of this machine (little-endian). */
export function sumDifferences(at: usize, rows: u32, width: u32, samples: u32, size: u32): void {
  if (size == 1) sumRows<u8>(at, rows, width, samples);
  else if (size == 2) {
    if (samples == 1) sumRows16(at, rows, width);
    else sumRows<u16>(at, rows, width, samples);
  } else if (size == 4) sumRows<u32>(at, rows, width, samples);
  else sumRows<u64>(at, rows, width, samples);
}

/** Predictor 3: byte differences, then the bytes of every value collected from `size` planes, most significant first. */
export function joinFloats(from: usize, to: usize, rows: u32, width: u32, samples: u32, size: u32): void {
  const values = width * samples;
  const rowBytes = values * size;
  for (let row: u32 = 0; row < rows; row++) {
    for (let i = samples; i < rowBytes; i++) store<u8>(from + i, load<u8>(from + i) + load<u8>(from + i - samples));
    for (let k: u32 = 0; k < size; k++) {
      const plane = from + (size - 1 - k) * values;
      for (let i: u32 = 0; i < values; i++) store<u8>(to + i * size + k, load<u8>(plane + i));
    }
    from += rowBytes;
    to += rowBytes;
  }
}

/** Big-endian values → little-endian, in place; `bytes` a multiple of `size` (2, 4 or 8). */
export function swapBytes(at: usize, bytes: u32, size: u32): void {
  const end = at + bytes;
  if (size == 2) {
    for (; at + 16 <= end; at += 16) {
      const v = v128.load(at);
      v128.store(at, i8x16.shuffle(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
    }
  } else if (size == 4) {
    for (; at + 16 <= end; at += 16) {
      const v = v128.load(at);
      v128.store(at, i8x16.shuffle(v, v, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
    }
  } else {
    for (; at + 16 <= end; at += 16) {
      const v = v128.load(at);
      v128.store(at, i8x16.shuffle(v, v, 7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8));
    }
  }
  for (; at < end; at += size) {
    for (let k: u32 = 0; k < size >> 1; k++) {
      const a = load<u8>(at + k);
      store<u8>(at + k, load<u8>(at + size - 1 - k));
      store<u8>(at + size - 1 - k, a);
    }
  }
}

/** Values of `bits` (1 to 31) packed most significant bit first, rows at byte bounds → 1, 2 or 4 bytes each; `signed` extends the sign. */
export function unpackBits(
  from: usize,
  to: usize,
  rows: u32,
  rowBytes: u32,
  values: u32,
  bits: u32,
  size: u32,
  signed: bool,
): void {
  for (let row: u32 = 0; row < rows; row++) {
    let input = from + row * rowBytes;
    let acc: u64 = 0;
    let held: u32 = 0;
    for (let i: u32 = 0; i < values; i++) {
      while (held < bits) {
        acc = (acc << 8) | load<u8>(input++);
        held += 8;
      }
      held -= bits;
      let value = <u32>(acc >> held) & ((1 << bits) - 1);
      if (signed) value = <u32>((<i32>value << (32 - bits)) >> (32 - bits));
      if (size == 1) store<u8>(to, value);
      else if (size == 2) store<u16>(to, value);
      else store<u32>(to, value);
      to += size;
    }
  }
}
