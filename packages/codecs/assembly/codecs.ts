// The byte codecs, over one memory that the caller lays out: every entry takes addresses and lengths. What is written may be followed
// by up to `slack` bytes of rubbish, and as many bytes behind an input may be looked at; the caller leaves room for both. Nothing here
// trusts an input: a negative result says what is wrong with it.

export { unbitshuffle } from "./_bitshuffle";
export { blosclz } from "./_blosclz";
export { adler32, fletcher32 } from "./_checksum";
export { crc32c } from "./_crc32c";
export { deflate, deflateBound } from "./_deflate";
export { inflate } from "./_inflate";
export { lz4 } from "./_lz4";
export { lzfDecode, lzfEncode } from "./_lzf";
export { shuffle, unshuffle } from "./_shuffle";
export { snappy } from "./_snappy";

/** First address that is free for the caller. */
export function heapBase(): usize {
  return __heap_base;
}

/** Bytes that must be there behind every buffer. */
export function slack(): u32 {
  return 512;
}
