import { Hdf5Error } from "../errors.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { FileSpace } from "./file-space.ts";
import { lookup3 } from "./lookup3.ts";

/** Kinds of records. Source: HDF5 file format specification 3.0, III.A.2. */
export const recordTypes = { hugeObject: 1, linkName: 5, attributeName: 8 } as const;

const nodeBytes = 65_536;
/** Signature, version, type before the records; the checksum behind them. */
const nodeOverheadBytes = 10;
const addressBytes = 8;

/**
 * Version 2 B-tree over sorted records of one size: a leaf, or a root above leaves, which is enough for tens of millions of names.
 *
 * @returns address of its header
 */
export function writeBtree2(space: FileSpace, type: number, records: readonly Uint8Array[]): number {
  const recordBytes = records[0]!.length;
  const perLeaf = Math.floor((nodeBytes - nodeOverheadBytes) / recordBytes);
  // Records of a root stand between its leaves: leaf, record, leaf …
  const deep = records.length > perLeaf;
  const root = deep
    ? writeRoot(space, type, records, perLeaf)
    : { address: writeLeaf(space, type, records), count: records.length };
  const out = new ByteWriter()
    .raw(Buffer.from("BTHD"))
    .u8(0, type)
    .u32(nodeBytes)
    .u16(recordBytes)
    .u16(deep ? 1 : 0)
    // Percentages at which HDF5 splits and merges nodes.
    .u8(100, 40)
    .u64(root.address)
    .u16(root.count)
    .u64(records.length);
  return space.append(out.u32(lookup3(out.bytes())).bytes());
}

function writeLeaf(space: FileSpace, type: number, records: readonly Uint8Array[]): number {
  return writeNode(space, "BTLF", type, records, () => {});
}

function writeNode(
  space: FileSpace,
  signature: string,
  type: number,
  records: readonly Uint8Array[],
  children: (out: ByteWriter) => void,
): number {
  const out = new ByteWriter(nodeBytes).raw(Buffer.from(signature)).u8(0, type);
  for (const record of records) out.raw(record);
  children(out);
  out.u32(lookup3(out.bytes()));
  return space.append(out.zeros(nodeBytes - out.length).bytes());
}

function writeRoot(
  space: FileSpace,
  type: number,
  records: readonly Uint8Array[],
  perLeaf: number,
): { address: number; count: number } {
  // As many leaves as are needed, filled evenly, so that none is empty.
  const leaves = Math.ceil((records.length + 1) / (perLeaf + 1));
  const inLeaves = records.length - (leaves - 1);
  const separators: Uint8Array[] = [];
  const children: { address: number; count: number }[] = [];
  let at = 0;
  for (let i = 0; i < leaves; i++) {
    const count = Math.floor((inLeaves * (i + 1)) / leaves) - Math.floor((inLeaves * i) / leaves);
    children.push({ address: writeLeaf(space, type, records.slice(at, at + count)), count });
    at += count;
    if (i < leaves - 1) separators.push(records[at++]!);
  }
  const countBytes = perLeaf < 256 ? 1 : 2;
  const size = separators.length * records[0]!.length + children.length * (addressBytes + countBytes);
  if (size + nodeOverheadBytes > nodeBytes) {
    throw new Hdf5Error(
      "unsupported",
      `${records.length} names in one group or object are more than are written`,
    );
  }
  const address = writeNode(space, "BTIN", type, separators, (out) => {
    for (const child of children) out.u64(child.address).uint(child.count, countBytes);
  });
  return { address, count: separators.length };
}
