import { constants, crc32, zstdCompressSync } from "node:zlib";
import { type Compression, encoding, pageType } from "./format.ts";
import { encodeStruct, i32, struct, type ThriftFields } from "./thrift-write.ts";

/** A page as it stands in a file: header and, maybe compressed, body. */
export interface PageBytes {
  parts: [Uint8Array, Uint8Array];
  /** Header and body before compression, which the chunk's metadata sums up. */
  uncompressed: number;
}

const ZSTD_LEVEL = 1;

function seal(body: Uint8Array, compression: Compression, type: number, rest: ThriftFields): PageBytes {
  const packed =
    compression === "zstd"
      ? zstdCompressSync(body, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } })
      : body;
  const header = encodeStruct([
    [1, i32(type)],
    [2, i32(body.length)],
    [3, i32(packed.length)],
    // Thrift has no unsigned integers: the checksum's bits as int32.
    [4, i32(crc32(packed) | 0)],
    ...rest,
  ]);
  return { parts: [header, packed], uncompressed: header.length + body.length };
}

/** A version 1 data page: of all page kinds the one that every reader knows. `body` holds levels and values. */
export function dataPage(
  body: Uint8Array,
  values: number,
  valueEncoding: number,
  compression: Compression,
): PageBytes {
  const header = struct(
    [1, i32(values)],
    [2, i32(valueEncoding)],
    [3, i32(encoding.RLE)],
    [4, i32(encoding.RLE)],
  );
  return seal(body, compression, pageType.data, [[5, header]]);
}

export function dictionaryPage(body: Uint8Array, values: number, compression: Compression): PageBytes {
  return seal(body, compression, pageType.dictionary, [
    [7, struct([1, i32(values)], [2, i32(encoding.PLAIN)])],
  ]);
}

export const pageLength = ({ parts }: PageBytes): number => parts[0].length + parts[1].length;
