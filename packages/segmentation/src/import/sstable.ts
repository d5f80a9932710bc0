import { SegmentationError } from "../errors.ts";

// The table format of LevelDB: blocks of entries with shared prefixes, an index block, and a footer.
const footerBytes = 48;
const magic = 0xdb4775248b80fb57n;
const trailerBytes = 5;

/**
 * All entries of a table, in their order.
 * @throws SegmentationError `invalid_model` for what is damaged or compressed
 */
export function readTable(bytes: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < footerBytes || view.getBigUint64(bytes.length - 8, true) !== magic)
    throw damaged("it does not end as a table does");
  const footer = cursor(bytes, bytes.length - footerBytes, bytes.length - 8);
  footer.varint();
  footer.varint();
  const index = blockAt(bytes, footer.varint(), footer.varint());
  const entries = new Map<string, Uint8Array>();
  for (const [, handle] of entriesOf(index)) {
    const at = cursor(handle, 0, handle.length);
    for (const [key, value] of entriesOf(blockAt(bytes, at.varint(), at.varint()))) entries.set(key, value);
  }
  return entries;
}

function blockAt(bytes: Uint8Array, offset: number, size: number): Uint8Array {
  if (offset + size + trailerBytes > bytes.length) throw damaged("a block ends beyond the file");
  if (bytes[offset + size] !== 0) throw damaged("its blocks are compressed");
  return bytes.subarray(offset, offset + size);
}

function* entriesOf(block: Uint8Array): Generator<[key: string, value: Uint8Array]> {
  if (block.length < 4) throw damaged("a block is too short");
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const end = block.length - 4 - 4 * view.getUint32(block.length - 4, true);
  if (end < 0) throw damaged("a block has too many restarts");
  const at = cursor(block, 0, end);
  let key = Buffer.alloc(0);
  while (at.left() > 0) {
    const shared = at.varint();
    const own = at.varint();
    const length = at.varint();
    if (shared > key.length) throw damaged("a key shares more than there is");
    key = Buffer.concat([key.subarray(0, shared), at.take(own)]);
    yield [key.toString("utf8"), at.take(length)];
  }
}

function cursor(bytes: Uint8Array, start: number, end: number) {
  let at = start;
  return {
    left: () => end - at,
    varint(): number {
      let value = 0;
      for (let scale = 1, length = 0; length < 8; scale *= 128, length++) {
        if (at >= end) break;
        const byte = bytes[at++] as number;
        value += (byte % 128) * scale;
        if (byte < 128) return value;
      }
      throw damaged("a number is cut off");
    },
    take(length: number): Uint8Array {
      if (length > end - at) throw damaged("an entry is cut off");
      at += length;
      return bytes.subarray(at - length, at);
    },
  };
}

function damaged(message: string): SegmentationError {
  return new SegmentationError("invalid_model", `the index of the SavedModel cannot be read: ${message}`);
}
