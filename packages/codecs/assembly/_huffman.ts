// Code lengths of at most `limit` bits from frequencies, and the canonical codes. The same frequencies give the same code everywhere.

const order: usize = memory.data(4 * 288, 16);
const nodes: usize = memory.data(4 * 288, 16);
const perLength: usize = memory.data(4 * 64, 16);
const nextCode: usize = memory.data(4 * 17, 16);

/**
 * Minimum-redundancy code in place (Moffat and Katajainen, 1995), then lengths above `limit` pushed down until the code fits (as in
 * miniz). Symbols that do not occur get length 0.
 *
 * @param frequencies u32 per symbol
 * @param lengths u8 per symbol, written
 * @param codes u16 per symbol, written with the first bit lowest
 */
export function makeCode(frequencies: usize, symbols: u32, limit: u32, lengths: usize, codes: usize): void {
  memory.fill(lengths, 0, symbols);
  let used: u32 = 0;
  for (let i: u32 = 0; i < symbols; i++) {
    const frequency = load<u32>(frequencies + i * 4);
    if (frequency == 0) continue;
    // Frequencies are below 2^22: they sort together with their symbols.
    store<u32>(order + used * 4, (frequency << 9) | i);
    used++;
  }
  if (used == 0) return;
  sort(used);
  for (let i: u32 = 0; i < used; i++) store<u32>(nodes + i * 4, load<u32>(order + i * 4) >> 9);
  minimumRedundancy(used);
  memory.fill(perLength, 0, 256);
  for (let i: u32 = 0; i < used; i++) {
    const at = perLength + min<u32>(load<u32>(nodes + i * 4), 63) * 4;
    store<u32>(at, load<u32>(at) + 1);
  }
  if (used == 1) store<u32>(perLength, 1, 4);
  shorten(limit);

  // The most frequent symbols, at the end of the order, get the shortest codes.
  let at = used;
  for (let length: u32 = 1; length <= limit; length++) {
    for (let k = load<u32>(perLength + length * 4); k > 0 && at > 0; k--) {
      store<u8>(lengths + (load<u32>(order + --at * 4) & 511), <u8>length);
    }
  }
  let code: u32 = 0;
  for (let length: u32 = 1; length <= limit; length++) {
    store<u32>(nextCode + length * 4, code);
    code = (code + load<u32>(perLength + length * 4)) << 1;
  }
  for (let i: u32 = 0; i < symbols; i++) {
    const length: u32 = load<u8>(lengths + i);
    if (length == 0) continue;
    const value = load<u32>(nextCode + length * 4);
    store<u32>(nextCode + length * 4, value + 1);
    let reversed: u32 = 0;
    for (let bit: u32 = 0; bit < length; bit++) reversed |= ((value >> bit) & 1) << (length - 1 - bit);
    store<u16>(codes + i * 2, <u16>reversed);
  }
}

/** Shell sort: few hundred values, and no two are alike. */
function sort(count: u32): void {
  for (let gap: u32 = count > 40 ? 40 : 13; gap > 0; gap = gap == 40 ? 13 : gap == 13 ? 4 : gap == 4 ? 1 : 0) {
    for (let i = gap; i < count; i++) {
      const value = load<u32>(order + i * 4);
      let j = i;
      while (j >= gap && load<u32>(order + (j - gap) * 4) > value) {
        store<u32>(order + j * 4, load<u32>(order + (j - gap) * 4));
        j -= gap;
      }
      store<u32>(order + j * 4, value);
    }
  }
}

// @ts-ignore: decorator
@inline
function node(i: i32): u32 {
  return load<u32>(nodes + (i << 2));
}

// @ts-ignore: decorator
@inline
function setNode(i: i32, value: u32): void {
  store<u32>(nodes + (i << 2), value);
}

/** Frequencies in rising order become code lengths in falling order. */
function minimumRedundancy(count: u32): void {
  const n = <i32>count;
  if (n == 1) {
    setNode(0, 1);
    return;
  }
  setNode(0, node(0) + node(1));
  let root: i32 = 0;
  let leaf: i32 = 2;
  for (let next: i32 = 1; next < n - 1; next++) {
    if (leaf >= n || node(root) < node(leaf)) {
      setNode(next, node(root));
      setNode(root++, <u32>next);
    } else setNode(next, node(leaf++));
    if (leaf >= n || (root < next && node(root) < node(leaf))) {
      setNode(next, node(next) + node(root));
      setNode(root++, <u32>next);
    } else setNode(next, node(next) + node(leaf++));
  }
  setNode(n - 2, 0);
  for (let next = n - 3; next >= 0; next--) setNode(next, node(<i32>node(next)) + 1);
  let available: i32 = 1;
  let used: i32 = 0;
  let depth: u32 = 0;
  root = n - 2;
  let next = n - 1;
  while (available > 0) {
    while (root >= 0 && node(root) == depth) {
      used++;
      root--;
    }
    while (available > used) {
      setNode(next--, depth);
      available--;
    }
    available = 2 * used;
    depth++;
    used = 0;
  }
}

function shorten(limit: u32): void {
  for (let length = limit + 1; length < 64; length++) {
    const at = perLength + limit * 4;
    store<u32>(at, load<u32>(at) + load<u32>(perLength + length * 4));
    store<u32>(perLength + length * 4, 0);
  }
  let total: u32 = 0;
  for (let length = limit; length > 0; length--) total += load<u32>(perLength + length * 4) << (limit - length);
  while (total > 1 << limit) {
    store<u32>(perLength + limit * 4, load<u32>(perLength + limit * 4) - 1);
    for (let length = limit - 1; length > 0; length--) {
      const count = load<u32>(perLength + length * 4);
      if (count == 0) continue;
      store<u32>(perLength + length * 4, count - 1);
      store<u32>(perLength + (length + 1) * 4, load<u32>(perLength + (length + 1) * 4) + 2);
      break;
    }
    total--;
  }
}
