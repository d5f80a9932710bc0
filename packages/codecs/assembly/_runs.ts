// What the byte-wise formats share: literals and matches that stay inside their buffers to the byte.

// Copies in steps of 16 bytes where both sides have room for the last step; memory.copy is a call, too dear for short runs.
// @ts-ignore: decorator
@inline
export function literals(op: usize, ip: usize, length: u32, iend: usize, oend: usize): void {
  if (length <= 128 && iend - ip >= <usize>length + 16 && oend - op >= <usize>length + 16) {
    for (let at: usize = 0; at < length; at += 16) v128.store(op + at, v128.load(ip + at));
  } else {
    memory.copy(op, ip, length);
  }
}

// Copies `length` bytes from `offset` bytes back; source and target may overlap, which repeats the pattern.
// Whole words are stored as long as they stay inside `oend`; a match often ends close to it.
// @ts-ignore: decorator
@inline
export function repeat(op: usize, offset: u32, length: u32, oend: usize): void {
  let ref = op - offset;
  const end = op + length;
  const fast = oend - op >= 16 ? min(end, oend - 15) : op;
  if (offset >= 16) {
    for (; op < fast; op += 16, ref += 16) v128.store(op, v128.load(ref));
  } else if (offset >= 8) {
    for (; op < fast; op += 8, ref += 8) store<u64>(op, load<u64>(ref));
  } else if (offset == 1 || offset == 2 || offset == 4) {
    const pattern =
      offset == 1 ? i8x16.splat(load<i8>(ref)) : offset == 2 ? i16x8.splat(load<i16>(ref)) : i32x4.splat(load<i32>(ref));
    for (; op < fast; op += 16, ref += 16) v128.store(op, pattern);
  }
  while (op < end) store<u8>(op++, load<u8>(ref++));
}
