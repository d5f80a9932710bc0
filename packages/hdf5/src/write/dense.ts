import { recordTypes, writeBtree2 } from "./btree2.ts";
import { ByteWriter, undefinedAddress } from "./byte-writer.ts";
import type { FileSpace } from "./file-space.ts";
import { heapKinds, writeHeap } from "./fractal-heap.ts";
import { lookup3 } from "./lookup3.ts";
import { type Message, maxMessageBytes, messageTypes } from "./messages.ts";

/** A name with the message that stands for it. */
export interface Named {
  name: string;
  message: Message;
}

/** More than this are kept in a heap with an index by name: in a header they are looked for one by one. */
const compactCount = 128;

/** Attributes as messages of the object's header, or a reference to where they are kept when they are many or too big for it. */
export function attributeMessages(space: FileSpace, attributes: readonly Named[]): Message[] {
  const fits = attributes.every(({ message }) => message.body.length <= maxMessageBytes);
  if (fits && attributes.length <= compactCount) return attributes.map(({ message }) => message);
  const heap = writeHeap(space, heapKinds.attributes, bodies(attributes));
  const records = sortedRecords(attributes, (hash, i) =>
    new ByteWriter(17).raw(heap.ids[i]!).u8(0).u32(i).u32(hash).bytes(),
  );
  const index = writeBtree2(space, recordTypes.attributeName, records);
  const body = new ByteWriter().u8(0, 0).u64(heap.address).u64(index).bytes();
  return [{ type: messageTypes.attributeInfo, body }];
}

/** The messages that make an object a group, with its links in them or in a heap. */
export function groupMessages(space: FileSpace, links: readonly Named[] = []): Message[] {
  const groupInfo = { type: messageTypes.groupInfo, body: Buffer.from([0, 0]) };
  if (links.length <= compactCount) {
    const none = new ByteWriter().u8(0, 0).u64(undefinedAddress).u64(undefinedAddress).bytes();
    return [{ type: messageTypes.linkInfo, body: none }, groupInfo, ...links.map(({ message }) => message)];
  }
  const heap = writeHeap(space, heapKinds.links, bodies(links));
  const records = sortedRecords(links, (hash, i) => new ByteWriter(11).u32(hash).raw(heap.ids[i]!).bytes());
  const index = writeBtree2(space, recordTypes.linkName, records);
  const linkInfo = new ByteWriter().u8(0, 0).u64(heap.address).u64(index).bytes();
  return [{ type: messageTypes.linkInfo, body: linkInfo }, groupInfo];
}

function bodies(named: readonly Named[]): Uint8Array[] {
  return named.map(({ message }) => message.body);
}

/** Records by the hash of the name, then by the name, byte by byte: the order of both indexes. */
function sortedRecords(named: readonly Named[], record: (hash: number, i: number) => Buffer): Buffer[] {
  return named
    .map(({ name }, i) => ({ bytes: Buffer.from(name), i }))
    .map((entry) => ({ ...entry, hash: lookup3(entry.bytes) }))
    .sort((a, b) => a.hash - b.hash || Buffer.compare(a.bytes, b.bytes))
    .map(({ hash, i }) => record(hash, i));
}
