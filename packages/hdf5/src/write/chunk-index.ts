import { ByteWriter, undefinedAddress } from "./byte-writer.ts";
import type { FileSpace } from "./file-space.ts";

export interface StoredChunk {
  /** First row of the chunk. */
  row: number;
  /** Where it begins along the second axis, default 0; chunks span all other axes. */
  plane?: number;
  address: number;
  bytes: number;
  /** Bit k set: filter k was left out. */
  filterMask?: number;
}

/** Half the entries of a node: the default of HDF5 for chunk indexes ("indexed storage internal node K"). */
const halfEntries = 32;

/**
 * Version 1 B-tree of chunks, built bottom-up. Source: HDF5 file format specification 3.0, III.A.1.
 *
 * @param endRow first row after the last chunk, in rows of chunks
 * @returns address of the root; undefined address when there are no chunks
 */
export function writeChunkIndex(
  space: FileSpace,
  chunks: readonly StoredChunk[],
  rank: number,
  endRow: number,
): number | bigint {
  if (chunks.length === 0) return undefinedAddress;
  let level = 0;
  let children = chunks;
  for (;;) {
    const parents = writeLevel(space, children, level, rank, endRow);
    if (parents.length === 1) return parents[0]!.address;
    children = parents;
    level++;
  }
}

function writeLevel(
  space: FileSpace,
  children: readonly StoredChunk[],
  level: number,
  rank: number,
  endRow: number,
): StoredChunk[] {
  const perNode = 2 * halfEntries;
  const keyBytes = 8 + 8 * (rank + 1);
  const nodeBytes = 24 + perNode * 8 + (perNode + 1) * keyBytes;
  const stride = nodeBytes + (-nodeBytes & 7);
  const nodes: StoredChunk[] = [];
  let base: number | undefined;
  const count = Math.ceil(children.length / perNode);
  for (let n = 0; n < count; n++) {
    const own = children.slice(n * perNode, (n + 1) * perNode);
    const out = new ByteWriter(nodeBytes).raw(Buffer.from("TREE")).u8(1, level).u16(own.length);
    // Nodes of a level are appended one after another, so the siblings' addresses are known once the first one's is.
    const first = base ?? space.end;
    out.u64(n === 0 ? undefinedAddress : first + (n - 1) * stride);
    out.u64(n === count - 1 ? undefinedAddress : first + (n + 1) * stride);
    for (const child of own) {
      key(out, child, rank).u64(child.address);
    }
    key(out, children[(n + 1) * perNode] ?? { row: endRow, address: 0, bytes: 0 }, rank);
    const address = space.append(out.zeros(nodeBytes - out.length).bytes());
    base ??= address;
    nodes.push({ ...own[0]!, address });
  }
  return nodes;
}

function key(out: ByteWriter, { bytes, filterMask, row, plane }: StoredChunk, rank: number): ByteWriter {
  out
    .u32(bytes)
    .u32(filterMask ?? 0)
    .u64(row);
  return plane === undefined || plane === 0 ? out.zeros(8 * rank) : out.u64(plane).zeros(8 * (rank - 1));
}
