import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Bytes of a response message at most, about; one larger item goes alone. */
export const maxChunkBytes = 4 * 1024 * 1024;

/** Field that carries the items, in `SearchResponse` and `AnnotateResponse` alike. */
export const itemField = 2;

/** Tag and length of an item at most. */
const itemOverhead = 6;

/** Collects encoded items into messages of bounded size. */
export interface Chunks {
  add(item: Uint8Array): void;
  /** Bytes added so far. */
  readonly bytes: number;
  finish(): Uint8Array[];
}

/** Write items as field 2 of messages, each message at most `maxBytes` long. */
export function createChunks(maxBytes = maxChunkBytes): Chunks {
  const done: Uint8Array[] = [];
  let writer = new BinaryWriter();
  let size = 0;
  let bytes = 0;
  const flush = () => {
    if (size > 0) done.push(writer.finish());
    writer = new BinaryWriter();
    size = 0;
  };
  return {
    add(item) {
      const cost = item.length + itemOverhead;
      if (size > 0 && size + cost > maxBytes) flush();
      writer.tag(itemField, WireType.LengthDelimited).bytes(item);
      size += cost;
      bytes += cost;
    },
    get bytes() {
      return bytes;
    },
    finish() {
      flush();
      return done;
    },
  };
}
