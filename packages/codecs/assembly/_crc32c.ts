// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720, B.4), sixteen bytes at a time: "slicing", Kounavis and Berry 2005.

const tables: usize = memory.data(16 * 1024, 16);

function prepare(): void {
  if (load<u32>(tables, 4) != 0) return;
  for (let index: u32 = 0; index < 256; index++) {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >> 1) ^ 0x82f63b78 : value >> 1;
    store<u32>(tables + (index << 2), value);
  }
  for (let at: usize = 256; at < 16 * 256; at++) {
    const before = load<u32>(tables + ((at - 256) << 2));
    store<u32>(tables + (at << 2), (before >> 8) ^ load<u32>(tables + ((before & 255) << 2)));
  }
}

// @ts-ignore: decorator
@inline
function entry(table: usize, byte: u64): u32 {
  return load<u32>(tables + (table << 10) + (<usize>(byte & 255) << 2));
}

// @ts-ignore: decorator
@inline
function eight(word: u64, table: usize): u32 {
  return (
    entry(table + 7, word) ^
    entry(table + 6, word >> 8) ^
    entry(table + 5, word >> 16) ^
    entry(table + 4, word >> 24) ^
    entry(table + 3, word >> 32) ^
    entry(table + 2, word >> 40) ^
    entry(table + 1, word >> 48) ^
    entry(table, word >> 56)
  );
}

/** Continues the checksum `before` (0 to begin) over more bytes. */
export function crc32c(from: usize, length: u32, before: u32): u32 {
  prepare();
  let crc = ~before;
  const end = from + length;
  for (; from + 16 <= end; from += 16) crc = eight(load<u64>(from) ^ <u64>crc, 8) ^ eight(load<u64>(from, 8), 0);
  for (; from < end; from++) crc = (crc >> 8) ^ load<u32>(tables + <usize>(((crc ^ load<u8>(from)) & 255) << 2));
  return ~crc;
}
