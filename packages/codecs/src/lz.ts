import { type Arena, decoded, reserve, type Span } from "./arena.ts";
import { checked, corrupt } from "./errors.ts";

const lzfFailures = [
  "literal run beyond the end",
  "input ends inside a back reference",
  "back reference out of bounds",
];

/** @throws CodecError "corrupt" */
export function lzfAt({ kernels }: Arena, from: Span, to: number, room: number): number {
  return checked(kernels.lzfDecode(from.at, from.length, to, room), "LZF", lzfFailures);
}

/** LZF, the filter of h5py, of at most `maxBytes`. */
export function decodeLzf(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return decoded(bytes, maxBytes, 0, (arena, from, to) => lzfAt(arena, from, to, maxBytes));
}

/** @returns nothing where LZF would not make it shorter */
export function encodeLzf(bytes: Uint8Array): Uint8Array | undefined {
  const { kernels, bytes: memory, areas } = reserve([bytes.length, bytes.length]);
  const [from, to] = areas as [number, number];
  memory.set(bytes, from);
  const length = kernels.lzfEncode(from, bytes.length, to);
  return length === 0 ? undefined : memory.slice(to, to + length);
}

/** A raw LZ4 block (lz4_Block_format.md) of at most `maxBytes`. */
export function decodeLz4Block(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return decoded(bytes, maxBytes, 0, (arena, from, to) =>
    checked(arena.kernels.lz4(from.at, from.length, to, maxBytes), "LZ4"),
  );
}

/** Snappy's raw format (format_description.txt) of at most `maxBytes`. */
export function decodeSnappy(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return decoded(bytes, maxBytes, 0, (arena, from, to) =>
    checked(arena.kernels.snappy(from.at, from.length, to, maxBytes), "Snappy"),
  );
}

/** The filter 32004 of HDF5: size and block size (big-endian, 8 and 4 bytes), then per block its length (4 bytes) and an LZ4 block. */
export function decodeHdf5Lz4(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return decoded(bytes, maxBytes, 0, (arena, from, to) => hdf5Lz4At(arena, from, to, maxBytes));
}

/** @throws CodecError "corrupt" */
export function hdf5Lz4At(arena: Arena, from: Span, to: number, room: number): number {
  const { size, blockBytes } = blockHeader(arena, from, room, "LZ4");
  const blocks = blockReader(arena, from, "LZ4");
  for (let done = 0; done < size; done += blockBytes) {
    const length = Math.min(blockBytes, size - done);
    const block = blocks();
    // A block that did not shrink is stored as it is; its length says so.
    if (block.length === length) arena.bytes.copyWithin(to + done, block.at, block.at + length);
    else {
      const made = checked(arena.kernels.lz4(block.at, block.length, to + done, length), "LZ4");
      if (made !== length) throw corrupt(`LZ4: a block holds ${made} bytes, expected ${length}`);
    }
  }
  return size;
}

/** What LZ4 and bitshuffle put before their blocks in HDF5. */
export function blockHeader(
  arena: Arena,
  from: Span,
  room: number,
  format: string,
): { size: number; blockBytes: number } {
  if (from.length < blockHeaderBytes) throw corrupt(`${format}: ${from.length} bytes, the header has 12`);
  const stored = new DataView(arena.bytes.buffer, from.at);
  const size = Number(stored.getBigUint64(0));
  const blockBytes = stored.getUint32(8);
  if (size > room) throw corrupt(`${format}: header says ${size} decoded bytes, at most ${room} expected`);
  if (size > 0 && blockBytes === 0) throw corrupt(`${format}: blocks of 0 bytes`);
  return { size, blockBytes };
}

export const blockHeaderBytes = 12;

/** Takes block after block, each behind its length. */
export function blockReader(arena: Arena, from: Span, format: string): () => Span {
  const stored = new DataView(arena.bytes.buffer, from.at, from.length);
  let next = blockHeaderBytes;
  return () => {
    if (next + 4 > from.length) throw corrupt(`${format}: ends before its last block`);
    const length = stored.getUint32(next);
    const at = next + 4;
    if (length > from.length - at) throw corrupt(`${format}: a block of ${length} bytes beyond the end`);
    next = at + length;
    return { at: from.at + at, length };
  };
}
