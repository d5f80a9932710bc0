import type { Graph } from "./graph.ts";

/** Rows of bits: bit `c` of row `r` is word `r * words + (c >>> 5)`, bit `c & 31`. */
export interface BitRows {
  readonly bits: Uint32Array;
  readonly words: number;
}

/** An all-zero square of n × n bits. */
export function bitRows(n: number): BitRows {
  const words = (n + 31) >>> 5;
  return { bits: new Uint32Array(n * words), words };
}

/** Sets one bit. */
export function setBit(rows: BitRows, row: number, column: number): void {
  rows.bits[row * rows.words + (column >>> 5)]! |= 1 << (column & 31);
}

/** Reads one bit. */
export function hasBit(rows: BitRows, row: number, column: number): boolean {
  return ((rows.bits[row * rows.words + (column >>> 5)]! >>> (column & 31)) & 1) === 1;
}

/** Whether every bit of row `a` is also set in row `b`. */
export function isSubset(rows: BitRows, a: number, b: number): boolean {
  const { bits, words } = rows;
  for (let w = 0; w < words; w++) {
    if ((bits[a * words + w]! & ~bits[b * words + w]!) !== 0) return false;
  }
  return true;
}

/** The set columns of one row, ascending. */
export function columnsOf(rows: BitRows, row: number): number[] {
  const columns: number[] = [];
  for (let w = 0; w < rows.words; w++) {
    let word = rows.bits[row * rows.words + w]!;
    while (word !== 0) {
      const low = 31 - Math.clz32(word & -word);
      columns.push(w * 32 + low);
      word &= word - 1;
    }
  }
  return columns;
}

/** Row t = all ancestors of t without t: each row is the union of its parents' rows and the parents. */
export function ancestorRows(graph: Graph, order: Int32Array): BitRows {
  const rows = bitRows(graph.parents.length);
  const { bits, words } = rows;
  for (const node of order) {
    for (const parent of graph.parents[node]!) {
      setBit(rows, node, parent);
      for (let w = 0; w < words; w++) bits[node * words + w]! |= bits[parent * words + w]!;
    }
  }
  return rows;
}
