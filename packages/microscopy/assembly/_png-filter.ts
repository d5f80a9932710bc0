// Rows of planes of 16 bits → residuals of the filters of PNG, as little-endian samples, and what Adler-32 needs of them.

export const SUB: u32 = 1;
export const UP: u32 = 2;

const keep: usize = memory.data<u8>([
  255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

/** A row of residuals takes so much, and each of its pixels so many of them side by side, as words of 2, 4 and 8 bytes. */
export function rowRoom(columns: u32): usize {
  return ((<usize>columns + 15) & ~7) << 1;
}
export function wordSize(kind: u32): usize {
  return kind == 1 ? 2 : kind == 2 ? 4 : 8;
}

// @ts-ignore: decorator
@inline
function residual(filter: u32, row: usize, above: usize, i: usize): v128 {
  const x = v128.load(row + i);
  return i8x16.sub(x, filter == UP ? v128.load(above + i) : v128.load(row + i - 2));
}

/** @param first: nothing lies to the left of the row. */
function filterAs(filter: u32, row: usize, above: usize, first: bool, bytes: usize, to: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, residual(filter, row, above, i));
  if (filter == SUB && first) store<u16>(to, load<u16>(row));
}

/** The residuals of a row of a plane, from where `row` is; a plane that is not there is zero. */
export function filterRow(filter: u32, row: usize, above: usize, first: bool, bytes: usize, to: usize): void {
  if (row == 0) memory.fill(to, 0, bytes + 16);
  else if (filter == SUB) filterAs(SUB, row, above, first, bytes, to);
  else filterAs(UP, row, above, first, bytes, to);
}

// @ts-ignore: decorator
@inline
function total(v: v128): u64 {
  return (
    <u64>(<u32>i32x4.extract_lane(v, 0)) +
    <u64>(<u32>i32x4.extract_lane(v, 1)) +
    <u64>(<u32>i32x4.extract_lane(v, 2)) +
    <u64>(<u32>i32x4.extract_lane(v, 3))
  );
}

/** Sum of absolute residuals of a row. */
export function roughness(filter: u32, row: usize, above: usize, bytes: usize): u64 {
  let sum = i32x4.splat(0);
  for (let i: usize = 16; i + 16 <= bytes; i += 16) {
    const d = filter == SUB ? residual(SUB, row, above, i) : residual(UP, row, above, i);
    sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(i8x16.abs(d))));
  }
  return total(sum);
}

// ---- words of pixels: the residual of grey; of green and blue; of red, green and blue and a zero

/** Rows of residuals, `room` bytes each → words. */
export function interleave(kind: u32, from: usize, room: usize, to: usize): void {
  const second = from + room;
  const third = second + room;
  const nothing = i16x8.splat(0);
  for (let i: usize = 0; i < room; i += 16) {
    const g = v128.load(second + i);
    const b = v128.load(third + i);
    if (kind == 2) {
      v128.store(to + 2 * i, i16x8.shuffle(g, b, 0, 8, 1, 9, 2, 10, 3, 11));
      v128.store(to + 2 * i, i16x8.shuffle(g, b, 4, 12, 5, 13, 6, 14, 7, 15), 16);
      continue;
    }
    const r = v128.load(from + i);
    const rg = i16x8.shuffle(r, g, 0, 8, 1, 9, 2, 10, 3, 11);
    const rgHigh = i16x8.shuffle(r, g, 4, 12, 5, 13, 6, 14, 7, 15);
    const b0 = i16x8.shuffle(b, nothing, 0, 8, 1, 9, 2, 10, 3, 11);
    const b0High = i16x8.shuffle(b, nothing, 4, 12, 5, 13, 6, 14, 7, 15);
    v128.store(to + 4 * i, i32x4.shuffle(rg, b0, 0, 4, 1, 5));
    v128.store(to + 4 * i, i32x4.shuffle(rg, b0, 2, 6, 3, 7), 16);
    v128.store(to + 4 * i, i32x4.shuffle(rgHigh, b0High, 0, 4, 1, 5), 32);
    v128.store(to + 4 * i, i32x4.shuffle(rgHigh, b0High, 2, 6, 3, 7), 48);
  }
}

/** Of the last piece: the sum of its bytes, and that of its bytes each times its place in the raw piece. */
export let pieceSum: u64 = 0;
export let piecePlaced: u64 = 0;

/** @param words `bytes` bytes of them; `places` of the samples of a vector; `step` raw bytes of a vector. */
// @ts-ignore: decorator
@inline
function sumAs(words: usize, bytes: usize, places: v128, step: u64): void {
  let sum = i32x4.splat(0);
  let before = i32x4.splat(0);
  let placed = i32x4.splat(0);
  let steps: u64 = 0;
  for (let i: usize = 0; i < bytes; i += 16) {
    let d = v128.load(words + i);
    if (i + 16 > bytes) d = v128.and(d, v128.load(keep + 16 - (bytes - i)));
    const low = v128.and(d, i16x8.splat(255));
    const both = i16x8.add(low, i16x8.shr_u(d, 8));
    before = i32x4.add(before, sum);
    sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_u(both));
    // The high byte of a sample comes first.
    placed = i32x4.add(placed, i32x4.add(i32x4.dot_i16x8_s(both, places), i32x4.extadd_pairwise_i16x8_u(low)));
    steps += 1;
  }
  pieceSum = total(sum);
  // A sum in step v counts v times: all steps but those after it.
  piecePlaced = total(placed) + step * (steps * pieceSum - pieceSum - total(before));
}

export function sumPiece(kind: u32, words: usize, pixels: u32): void {
  if (kind == 1) sumAs(words, <usize>pixels << 1, i16x8(0, 2, 4, 6, 8, 10, 12, 14), 16);
  else if (kind == 2) sumAs(words, <usize>pixels << 2, i16x8(2, 4, 8, 10, 14, 16, 20, 22), 24);
  else sumAs(words, <usize>pixels << 3, i16x8(0, 2, 4, 0, 6, 8, 10, 0), 12);
}
