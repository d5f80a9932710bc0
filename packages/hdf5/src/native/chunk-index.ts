import { elementCount } from "../blocks.ts";
import { Hdf5Error } from "../errors.ts";
import { visitRecords } from "./b-tree-2.ts";
import { visitExtensibleArray, visitFixedArray } from "./chunk-array.ts";
import { ChunkCollector, type ChunkTable, type Grid, stridesOf } from "./chunk-table.ts";
import type { FileBytes } from "./file-bytes.ts";
import type { Layout } from "./messages.ts";

type ChunkedLayout = Extract<Layout, { kind: "chunked" }>;

const maxTreeDepth = 64;
/** All filters left out: how a partial chunk at the edge may be stored. */
const noFilters = 0xffff_ffff;

export interface IndexInput {
  file: FileBytes;
  layout: ChunkedLayout;
  grid: Grid;
  /** Undefined entries are unlimited. */
  maxShape: readonly (number | undefined)[];
  filtered: boolean;
  what: string;
}

/**
 * Reads the whole chunk index of a dataset. Every stored range is checked against the file.
 * Source: HDF5 file format specification 3.0, III.A.1, III.A.2, VII.
 *
 * @throws Hdf5Error "corrupt" | "too-large"
 */
export function readChunkTable(input: IndexInput): ChunkTable {
  const { file, layout, grid, what } = input;
  const chunkBytes = elementCount(layout.chunks) * layout.elementBytes;
  const collector = new ChunkCollector(what);
  const { strides, counts, shape, chunks } = grid;

  /** Scaled offsets → number; chunks outside of the dataset's present shape are left out. */
  function add(scaled: readonly number[], address: number | undefined, bytes: number, mask: number): void {
    if (address === undefined) return;
    let number = 0;
    let plain = false;
    for (let axis = 0; axis < counts.length; axis++) {
      const at = scaled[axis]!;
      if (at >= counts[axis]!) return;
      number += at * strides[axis]!;
      plain ||= layout.plainEdges && (at + 1) * chunks[axis]! > shape[axis]!;
    }
    file.check(address, bytes, `${what}: chunk at [${scaled.map((at, axis) => at * chunks[axis]!)}]`);
    collector.add(number, address, bytes, plain && input.filtered ? noFilters : mask);
  }

  if (layout.address === undefined) return collector.finish();
  switch (layout.index.kind) {
    case "b-tree-1":
      visitOldTree(input, layout.address, add);
      break;
    case "b-tree-2":
      visitNewTree(input, layout.address, chunkBytes, add);
      break;
    case "single": {
      const { bytes = chunkBytes, filterMask } = layout.index;
      add(
        counts.map(() => 0),
        layout.address,
        bytes,
        filterMask,
      );
      break;
    }
    case "implicit":
      visitImplicit(input, layout.address, chunkBytes, add);
      break;
    default:
      visitArray(input, layout.address, chunkBytes, add);
  }
  return collector.finish();
}

type Add = (scaled: readonly number[], address: number | undefined, bytes: number, mask: number) => void;

/** Keys are stored size, filter mask and the element offsets of the chunk, with one more for the byte within an element. */
function visitOldTree({ file, grid, what }: IndexInput, root: number, add: Add): void {
  const rank = grid.chunks.length;
  const keyBytes = 8 + 8 * (rank + 1);
  const { address: addressWidth } = file.widths;
  const seen = new Set<number>();

  function visit(address: number, level: number | undefined): void {
    const name = `${what}: chunk B-tree node at ${address}`;
    if (seen.has(address)) throw new Hdf5Error("corrupt", `${file.path}: ${name} is reached twice`);
    seen.add(address);
    const head = file.cursor(address, 8 + 2 * addressWidth, name);
    head.expect("TREE");
    const type = head.u8();
    const own = head.u8();
    const count = head.u16();
    if (type !== 1 || own > maxTreeDepth || (level !== undefined && own !== level)) {
      throw new Hdf5Error(
        "corrupt",
        `${head.what}: type ${type}, level ${own}, expected 1 and ${level ?? "any"}`,
      );
    }
    const body = file.cursor(address + 8 + 2 * addressWidth, count * (keyBytes + addressWidth), name);
    for (let i = 0; i < count; i++) {
      const bytes = body.u32();
      const mask = body.u32();
      const start = body.at;
      body.skip(8 * (rank + 1));
      const child = body.address();
      if (own > 0) {
        if (child === undefined) throw new Hdf5Error("corrupt", `${body.what}: child ${i} has no address`);
        visit(child, own - 1);
        continue;
      }
      const end = body.at;
      body.at = start;
      const scaled = grid.chunks.map((chunk) => {
        const offset = body.uint(8);
        if (offset % chunk !== 0) {
          throw new Hdf5Error("corrupt", `${body.what}: offset ${offset} is no multiple of ${chunk}`);
        }
        return offset / chunk;
      });
      body.at = end;
      add(scaled, child, bytes, mask);
    }
  }

  visit(root, undefined);
}

function visitNewTree(input: IndexInput, root: number, chunkBytes: number, add: Add): void {
  const { file, layout, grid } = input;
  visitRecords(file, root, input.filtered ? [11] : [10], (record, type) => {
    const address = record.address();
    const bytes = type === 11 ? record.uint(sizeWidth(layout, chunkBytes)) : chunkBytes;
    const mask = type === 11 ? record.u32() : 0;
    add(
      grid.chunks.map(() => record.uint(8)),
      address,
      bytes,
      mask,
    );
  });
}

/** Bytes of a stored chunk's size: one more than its unfiltered size needs, because filters may make it larger. */
function sizeWidth(layout: ChunkedLayout, chunkBytes: number): number {
  return layout.sizeWidth ?? Math.min(8, 1 + Math.floor((Math.floor(Math.log2(chunkBytes)) + 8) / 8));
}

/** All chunks stand one after another, without filters. */
function visitImplicit(input: IndexInput, base: number, chunkBytes: number, add: Add): void {
  const { layout, grid, what, file } = input;
  const total = grid.counts.reduce((product, count) => product * count, 1);
  file.check(base, total * chunkBytes, `${what}: ${total} chunks in one piece`);
  const strides = stridesOf(maxCounts(input, undefined));
  forEachChunk(grid, (scaled) => {
    const number = scaled.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);
    add(scaled, base + number * elementCount(layout.chunks) * layout.elementBytes, chunkBytes, 0);
  });
}

function forEachChunk(grid: Grid, visit: (scaled: number[]) => void): void {
  const scaled = grid.counts.map(() => 0);
  const total = grid.counts.reduce((product, count) => product * count, 1);
  for (let i = 0; i < total; i++) {
    visit(scaled);
    for (let axis = scaled.length - 1; axis >= 0; axis--) {
      scaled[axis]!++;
      if (scaled[axis]! < grid.counts[axis]!) break;
      scaled[axis] = 0;
    }
  }
}

/** Chunks along each axis of the largest shape: what arrays count by. The unlimited axis, if any, gets 1. */
function maxCounts({ maxShape, grid }: IndexInput, unlimited: number | undefined): number[] {
  return grid.chunks.map((chunk, axis) =>
    axis === unlimited ? 1 : Math.ceil((maxShape[axis] ?? grid.shape[axis]!) / chunk),
  );
}

function visitArray(input: IndexInput, address: number, chunkBytes: number, add: Add): void {
  const { file, layout, maxShape, what } = input;
  const rank = layout.chunks.length;
  const extensible = layout.index.kind === "extensible-array";
  const unlimited = extensible ? maxShape.indexOf(undefined) : -1;
  if (extensible && unlimited < 0) {
    throw new Hdf5Error("corrupt", `${file.path}: ${what}: an extensible array without an unlimited axis`);
  }
  // The unlimited axis is counted slowest, wherever it stands.
  const order = Array.from({ length: rank }, (_, axis) => axis).sort(
    (a, b) => Number(b === unlimited) - Number(a === unlimited) || a - b,
  );
  const counts = maxCounts(input, extensible ? unlimited : undefined);
  const strides = stridesOf(order.map((axis) => counts[axis]!));
  const scaled = new Array<number>(rank).fill(0);
  const entry = {
    filtered: input.filtered,
    sizeWidth: sizeWidth(layout, chunkBytes),
    what,
  };
  const visit = extensible ? visitExtensibleArray : visitFixedArray;
  visit(file, address, entry, (index, record) => {
    const at = record.address();
    if (at === undefined) return;
    const bytes = input.filtered ? record.uint(entry.sizeWidth) : chunkBytes;
    const mask = input.filtered ? record.u32() : 0;
    let rest = index;
    for (let i = 0; i < rank; i++) {
      scaled[order[i]!] = Math.floor(rest / strides[i]!);
      rest %= strides[i]!;
    }
    add(scaled, at, bytes, mask);
  });
}
