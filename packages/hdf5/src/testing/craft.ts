import type { H5Type } from "../types.ts";
import { ByteWriter, undefinedAddress } from "../write/byte-writer.ts";
import { groupMessages } from "../write/dense.ts";
import { FileSpace } from "../write/file-space.ts";
import {
  datasetMessages,
  type FilterSpec,
  linkMessage,
  type Message,
  messageTypes,
  objectHeader,
} from "../write/messages.ts";

/** Files that our writer does not make, for tests: what h5py and others write, and what nobody should. */

/** A file of one dataset "/d", whose messages `make` gives. */
export function craft(path: string, make: (space: FileSpace) => Message[]): void {
  const space = new FileSpace(path);
  const messages = make(space);
  const link = linkMessage("d", { address: space.append(objectHeader(messages)) });
  space.finish(space.append(objectHeader([...groupMessages(space), link])));
}

export interface CraftedChunk {
  /** First element along each axis. */
  offset: readonly number[];
  stored: Uint8Array;
  /** Bit k set: filter k was left out. */
  mask: number;
}

export interface CraftedDataset {
  type: Extract<H5Type, { kind: "int" | "float" }>;
  bigEndian: boolean;
  shape: readonly number[];
  /** One element as it stands in the file. */
  fillValue?: Uint8Array | undefined;
  /** Elements as they stand in the file; "none": space is given when something is written, and nothing was. */
  data:
    | { layout: "contiguous" | "compact"; bytes: Uint8Array }
    | { layout: "none" }
    /** At most 64 chunks are stored, in ascending order; any shape, any filters. */
    | {
        layout: "chunked";
        chunks: readonly number[];
        filters: readonly FilterSpec[];
        stored: readonly CraftedChunk[];
      };
}

export function craftDataset(
  path: string,
  { type, bigEndian, shape, fillValue, data }: CraftedDataset,
): void {
  craft(path, (space) => {
    const messages = datasetMessages(
      type,
      shape,
      data.layout === "chunked"
        ? {
            kind: "chunked",
            index: chunkNode(space, data.stored, data.chunks),
            chunks: data.chunks,
            elementBytes: type.size,
          }
        : {
            kind: "contiguous",
            address: data.layout === "contiguous" ? space.append(data.bytes) : undefinedAddress,
            bytes: shape.reduce((product, dim) => product * dim, type.size),
          },
      data.layout === "chunked" ? data.filters : [],
      false,
      fillValue,
    );
    for (const message of messages) {
      // The first bit of numbers says in which order their bytes stand.
      if (message.type === messageTypes.datatype && bigEndian) message.body[1]! |= 1;
      if (message.type === messageTypes.layout && data.layout === "compact") {
        message.body = new ByteWriter().u8(3, 0).u16(data.bytes.length).raw(data.bytes).bytes();
      }
    }
    return messages;
  });
}

/** One leaf of a version 1 B-tree. Source: HDF5 file format specification 3.0, III.A.1. */
function chunkNode(
  space: FileSpace,
  stored: readonly CraftedChunk[],
  chunkShape: readonly number[],
): number | bigint {
  if (stored.length === 0) return undefinedAddress;
  const places = stored.map((chunk) => ({ ...chunk, address: space.append(chunk.stored) }));
  const out = new ByteWriter()
    .raw(Buffer.from("TREE"))
    .u8(1, 0)
    .u16(places.length)
    .u64(undefinedAddress)
    .u64(undefinedAddress);
  const key = (bytes: number, mask: number, offset: readonly number[]): void => {
    out.u32(bytes).u32(mask);
    for (const at of [...offset, 0]) out.u64(at);
  };
  for (const { offset, mask, address, stored: bytes } of places) {
    key(bytes.length, mask, offset);
    out.u64(address);
  }
  key(
    0,
    0,
    places.at(-1)!.offset.map((at, axis) => at + chunkShape[axis]!),
  );
  return space.append(out.zeros((64 - places.length) * (8 + 8 + 8 * (chunkShape.length + 1))).bytes());
}
