import { type Arena, decoded, type Span, view } from "./arena.ts";
import { checked, corrupt } from "./errors.ts";
import { unzstd } from "./inflate.ts";
import { blockHeader, blockHeaderBytes, blockReader } from "./lz.ts";

/** How the filter 32008 of HDF5 was set (bitshuffle's bshuf_h5filter.c). */
export interface BitshuffleOptions {
  elementBytes: number;
  /** Elements of a block, a multiple of 8; 0: the filter's own choice. With a compressor the data says it. */
  blockElements: number;
  compressor: "none" | "lz4" | "zstd";
}

/** Bits of eight elements make whole bytes. */
const together = 8;
const targetBlockBytes = 8192;
const leastBlockElements = 128;
const format = "bitshuffle";

/** The bits of elements that bitshuffle put together, of at most `maxBytes`. */
export function decodeBitshuffle(
  bytes: Uint8Array,
  maxBytes: number,
  options: BitshuffleOptions,
): Uint8Array {
  return decoded(bytes, maxBytes, maxBytes, (arena, from, to, scratch) =>
    bitshuffleAt(arena, from, to, maxBytes, scratch, options),
  );
}

/**
 * @param scratch as much room as `to` has
 * @throws CodecError "corrupt"
 */
export function bitshuffleAt(
  arena: Arena,
  from: Span,
  to: number,
  room: number,
  scratch: number,
  { elementBytes, blockElements, compressor }: BitshuffleOptions,
): number {
  if (!(elementBytes > 0)) throw corrupt(`${format}: elements of ${elementBytes} bytes`);
  const compressed = compressor !== "none";
  const { size, blockBytes } = compressed
    ? blockHeader(arena, from, room, format)
    : {
        size: from.length,
        blockBytes: (blockElements || defaultBlockElements(elementBytes)) * elementBytes,
      };
  if (size > room) throw corrupt(`${format}: ${size} bytes, at most ${room} expected`);
  const step = Math.floor(blockBytes / elementBytes);
  if (size > 0 && (step < together || step % together !== 0)) {
    throw corrupt(`${format}: blocks of ${step} elements, expected a multiple of ${together}`);
  }
  const count = Math.floor(size / elementBytes);
  const whole = count - (count % together);
  const next = compressed ? blockReader(arena, from, format) : undefined;
  let read = compressed ? blockHeaderBytes : 0;
  for (let done = 0; done < whole; done += step) {
    const elements = Math.min(step, whole - done);
    const length = elements * elementBytes;
    let mixed = from.at + read;
    if (next === undefined) read += length;
    else {
      const block = next();
      unpack(arena, block, scratch, length, compressor);
      mixed = scratch;
      read = block.at + block.length - from.at;
    }
    arena.kernels.unbitshuffle(mixed, to + done * elementBytes, elements, elementBytes);
  }
  // Fewer than eight elements at the end are kept as they are.
  const rest = size - whole * elementBytes;
  if (rest > from.length - read) throw corrupt(`${format}: ends before its last elements`);
  arena.bytes.copyWithin(to + whole * elementBytes, from.at + read, from.at + read + rest);
  return size;
}

function defaultBlockElements(elementBytes: number): number {
  const elements = Math.floor(targetBlockBytes / elementBytes);
  return Math.max(elements - (elements % together), leastBlockElements);
}

function unpack(
  arena: Arena,
  block: Span,
  to: number,
  length: number,
  compressor: BitshuffleOptions["compressor"],
): void {
  let made: number;
  if (compressor === "lz4")
    made = checked(arena.kernels.lz4(block.at, block.length, to, length), `${format}, LZ4`);
  else {
    const plain = unzstd(view(arena, block), length);
    arena.bytes.set(plain, to);
    made = plain.length;
  }
  if (made !== length) throw corrupt(`${format}: a block holds ${made} bytes, expected ${length}`);
}
