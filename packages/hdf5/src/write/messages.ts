import { Hdf5Error } from "../errors.ts";
import type { H5Type } from "../types.ts";
import { ByteWriter, undefinedAddress } from "./byte-writer.ts";
import { encodeType } from "./encode-type.ts";
import { lookup3 } from "./lookup3.ts";

/** Object header message types. Source: HDF5 file format specification 3.0, IV.A.2. */
export const messageTypes = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  fillValue: 0x05,
  link: 0x06,
  layout: 0x08,
  groupInfo: 0x0a,
  filters: 0x0b,
  attribute: 0x0c,
  attributeInfo: 0x15,
  referenceCount: 0x16,
} as const;

/** What a message of an object header holds. */
export const maxMessageBytes = 65_535;

export interface Message {
  type: number;
  body: Buffer;
}

/** Version 2 header without times, so that nothing of the clock gets into the file. */
export function objectHeader(messages: readonly Message[]): Buffer {
  const body = new ByteWriter(512);
  for (const message of messages) {
    body.u8(message.type).u16(message.body.length).u8(0).raw(message.body);
  }
  const out = new ByteWriter(body.length + 16);
  out.raw(Buffer.from("OHDR")).u8(2, 0x02).u32(body.length).raw(body.bytes());
  return out.u32(lookup3(out.bytes())).bytes();
}

export function dataspaceBody(shape: readonly number[] | undefined, unlimitedRows = false): Buffer {
  if (shape === undefined) return Buffer.from([2, 0, 0, 2]);
  const out = new ByteWriter().u8(2, shape.length, unlimitedRows ? 1 : 0, shape.length === 0 ? 0 : 1);
  for (const dim of shape) out.u64(dim);
  if (unlimitedRows) shape.forEach((dim, axis) => void out.u64(axis === 0 ? undefinedAddress : dim));
  return out.bytes();
}

export function attributeMessage(
  name: string,
  type: H5Type,
  shape: readonly number[] | undefined,
  data: Uint8Array,
  where: string,
): Message {
  const nameBytes = Buffer.from(`${name}\0`);
  const typeBytes = encodeType(type);
  const space = dataspaceBody(shape);
  if (nameBytes.length > maxMessageBytes || typeBytes.length > maxMessageBytes) {
    throw new Hdf5Error("unsupported", `${where}: the name or type of an attribute has more than 64 KiB`);
  }
  const size = 9 + nameBytes.length + typeBytes.length + space.length + data.length;
  const out = new ByteWriter(size)
    .u8(3, 0)
    .u16(nameBytes.length)
    .u16(typeBytes.length)
    .u16(space.length)
    .u8(1);
  return {
    type: messageTypes.attribute,
    body: out.raw(nameBytes).raw(typeBytes).raw(space).raw(data).bytes(),
  };
}

/** How many links lead to an object; without it, one. HDF5 frees the object when so many were removed. */
export function referenceCountMessage(links: number): Message {
  return { type: messageTypes.referenceCount, body: new ByteWriter().u8(0).u32(links).bytes() };
}

export type LinkTarget = { address: number } | { soft: string } | { file: string; target: string };

export function linkMessage(name: string, target: LinkTarget): Message {
  const nameBytes = Buffer.from(name);
  const kind = "address" in target ? 0 : "soft" in target ? 1 : 64;
  // Flags: link type present, character set present, 2-byte name length.
  const out = new ByteWriter().u8(1, 0x19, kind, 1).u16(nameBytes.length).raw(nameBytes);
  if ("address" in target) return { type: messageTypes.link, body: out.u64(target.address).bytes() };
  const value =
    "soft" in target ? Buffer.from(target.soft) : Buffer.from(`\0${target.file}\0${target.target}\0`);
  return { type: messageTypes.link, body: out.u16(value.length).raw(value).bytes() };
}

export type Layout =
  | { kind: "contiguous"; address: number | bigint; bytes: number }
  | { kind: "chunked"; index: number | bigint; chunks: readonly number[]; elementBytes: number };

export interface FilterSpec {
  id: number;
  values: number[];
}

export function datasetMessages(
  type: H5Type,
  shape: readonly number[] | undefined,
  layout: Layout,
  filters: readonly FilterSpec[],
  unlimitedRows: boolean,
  fillValue?: Uint8Array,
): Message[] {
  // Fill value: allocate late (contiguous) or incrementally (chunked), write only if set; bit 5 says that one is defined.
  const allocation = (layout.kind === "chunked" ? 3 : 2) | (2 << 2);
  const fill = new ByteWriter().u8(3, allocation | (fillValue === undefined ? 0 : 0x20));
  if (fillValue !== undefined) fill.u32(fillValue.length).raw(fillValue);
  const messages: Message[] = [
    { type: messageTypes.dataspace, body: dataspaceBody(shape, unlimitedRows) },
    { type: messageTypes.datatype, body: encodeType(type) },
    { type: messageTypes.fillValue, body: fill.bytes() },
    { type: messageTypes.layout, body: layoutBody(layout) },
  ];
  if (filters.length > 0) messages.push({ type: messageTypes.filters, body: filterBody(filters) });
  return messages;
}

function layoutBody(layout: Layout): Buffer {
  if (layout.kind === "contiguous") {
    return new ByteWriter().u8(3, 1).u64(layout.address).u64(layout.bytes).bytes();
  }
  const out = new ByteWriter().u8(3, 2, layout.chunks.length + 1).u64(layout.index);
  for (const dim of layout.chunks) out.u32(dim);
  return out.u32(layout.elementBytes).bytes();
}

function filterBody(filters: readonly FilterSpec[]): Buffer {
  const out = new ByteWriter().u8(2, filters.length);
  for (const filter of filters) {
    out.u16(filter.id);
    // Filters outside the reserved range have a name; it may be empty.
    if (filter.id >= 256) out.u16(0);
    out.u16(0).u16(filter.values.length);
    for (const value of filter.values) out.u32(value);
  }
  return out.bytes();
}
