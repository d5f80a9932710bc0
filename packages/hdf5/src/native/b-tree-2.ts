import { Hdf5Error } from "../errors.ts";
import { bytesToHold, type Cursor } from "./cursor.ts";
import type { FileBytes } from "./file-bytes.ts";

/** Signature, version, type and checksum of a node. */
const nodeOverhead = 10;
const maxDepth = 32;

interface Level {
  maxRecords: number;
  /** Bytes of the count of all records below a child. */
  totalWidth: number;
}

/**
 * Visits all records of a version 2 B-tree in order. Source: HDF5 file format specification 3.0, III.A.2.
 *
 * @param type the record type the tree must have
 * @param visit is given a cursor over one record
 * @throws Hdf5Error "corrupt"
 */
export function visitRecords(
  file: FileBytes,
  address: number,
  types: readonly number[],
  visit: (record: Cursor, type: number) => void,
): void {
  const what = `B-tree at ${address}`;
  const head = file.checked(address, 22 + file.widths.address + file.widths.length, what);
  head.expect("BTHD");
  head.expectVersion(0);
  const type = head.u8();
  if (!types.includes(type)) {
    throw new Hdf5Error("corrupt", `${head.what}: record type ${type}, expected ${types.join(" or ")}`);
  }
  const nodeBytes = head.u32();
  const recordBytes = head.u16();
  const depth = head.u16();
  head.skip(2);
  const root = head.address();
  const rootRecords = head.u16();
  if (depth > maxDepth || recordBytes === 0) {
    throw new Hdf5Error("corrupt", `${head.what}: depth ${depth}, records of ${recordBytes} bytes`);
  }
  if (root === undefined || rootRecords === 0) return;
  const levels = planLevels(file, nodeBytes, recordBytes, depth);
  const countWidth = bytesToHold(levels[0]!.maxRecords);
  const seen = new Set<number>();

  function visitNode(at: number, count: number, level: number): void {
    if (seen.has(at))
      throw new Hdf5Error("corrupt", `${file.path}: ${what}: the node at ${at} is reached twice`);
    seen.add(at);
    if (count > levels[level]!.maxRecords) {
      throw new Hdf5Error("corrupt", `${file.path}: ${what}: a node says it has ${count} records`);
    }
    const pointers = level === 0 ? 0 : count + 1;
    const pointerBytes = file.widths.address + countWidth + (level > 1 ? levels[level - 1]!.totalWidth : 0);
    const used = nodeOverhead + count * recordBytes + pointers * pointerBytes;
    const node = file.checked(at, used, `${what}, node at ${at}`);
    node.expect(level === 0 ? "BTLF" : "BTIN");
    node.expectVersion(0);
    node.skip(1);
    const records = node.take(count * recordBytes);
    const recordAt = (i: number): void => {
      const from = i * recordBytes;
      visit(node.over(records.subarray(from, from + recordBytes)), type);
    };
    if (level === 0) {
      for (let i = 0; i < count; i++) recordAt(i);
      return;
    }
    for (let i = 0; i <= count; i++) {
      const child = node.address();
      const childRecords = node.uint(countWidth);
      if (level > 1) node.skip(levels[level - 1]!.totalWidth);
      if (child === undefined) throw new Hdf5Error("corrupt", `${node.what}: child ${i} has no address`);
      visitNode(child, childRecords, level - 1);
      if (i < count) recordAt(i);
    }
  }

  visitNode(root, rootRecords, depth);
}

/** How many records fit into a node of each level decides how wide the counts of its parent are. */
function planLevels(file: FileBytes, nodeBytes: number, recordBytes: number, depth: number): Level[] {
  const leafRecords = Math.floor((nodeBytes - nodeOverhead) / recordBytes);
  if (leafRecords < 1) {
    throw new Hdf5Error("corrupt", `${file.path}: a B-tree node of ${nodeBytes} bytes holds no record`);
  }
  const countWidth = bytesToHold(leafRecords);
  const levels: Level[] = [{ maxRecords: leafRecords, totalWidth: 0 }];
  let total = leafRecords;
  for (let level = 1; level <= depth; level++) {
    const pointerBytes = file.widths.address + countWidth + levels[level - 1]!.totalWidth;
    const maxRecords = Math.floor((nodeBytes - nodeOverhead - pointerBytes) / (recordBytes + pointerBytes));
    if (maxRecords < 1) {
      throw new Hdf5Error("corrupt", `${file.path}: a B-tree node of ${nodeBytes} bytes holds no record`);
    }
    total = Math.min(2 ** 63, (maxRecords + 1) * total + maxRecords);
    levels.push({ maxRecords, totalWidth: bytesToHold(total) });
  }
  return levels;
}
