export { type Arena, reserve, type Span, view } from "./arena.ts";
export { type BitshuffleOptions, bitshuffleAt, decodeBitshuffle } from "./bitshuffle.ts";
export { bloscAt, decodeBlosc } from "./blosc.ts";
export { adler32, crc32c, fletcher32 } from "./checksums.ts";
export { deflate, deflateBound } from "./deflate.ts";
export { CodecError, type CodecErrorTag } from "./errors.ts";
export { fromHalves, halfToNumber, numberToHalf, toHalves } from "./halves.ts";
export { gunzip, inflate, inflateAt, unzstd } from "./inflate.ts";
export {
  decodeHdf5Lz4,
  decodeLz4Block,
  decodeLzf,
  decodeSnappy,
  encodeLzf,
  hdf5Lz4At,
  lzfAt,
} from "./lz.ts";
export { shuffle, unshuffle } from "./shuffle.ts";
