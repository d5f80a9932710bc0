/** Bytes of a block: small, so that what is held is what is used. */
const BLOCK_BYTES = 1024 * 1024;

/** Bytes that are appended to and forgotten again. The memory is kept, and never moved: a buffer that grows leaves its former selves behind. */
export interface ByteBlocks {
  readonly length: number;
  append(bytes: Uint8Array): void;
  /** Everything appended, in order; valid until `clear`. */
  parts(): Uint8Array[];
  clear(): void;
}

export function byteBlocks(): ByteBlocks {
  const blocks: Uint8Array[] = [];
  let length = 0;
  return {
    get length() {
      return length;
    },
    append: (bytes) => {
      for (let from = 0; from < bytes.length; ) {
        const at = length % BLOCK_BYTES;
        const index = (length - at) / BLOCK_BYTES;
        if (index === blocks.length) blocks.push(new Uint8Array(BLOCK_BYTES));
        const count = Math.min(bytes.length - from, BLOCK_BYTES - at);
        blocks[index]!.set(bytes.subarray(from, from + count), at);
        from += count;
        length += count;
      }
    },
    parts: () => {
      const used = blocks.slice(0, Math.ceil(length / BLOCK_BYTES));
      const last = used.length - 1;
      if (last >= 0) used[last] = used[last]!.subarray(0, length - last * BLOCK_BYTES);
      return used;
    },
    clear: () => {
      length = 0;
    },
  };
}
