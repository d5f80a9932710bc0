import type { DuckDBDataChunk } from "@duckdb/node-api";
import duckdb, { type Vector } from "@duckdb/node-bindings";

/*
 * Bulk access to DuckDB's vectors. node-api's own setters go element by element (and its string setter stops at U+0000); these copy
 * whole typed arrays. A view returned by a reader dies with its chunk: keep the chunk referenced until the view was last used.
 */

export const VECTOR_ROWS = 2048;

export const vectorOf = (chunk: DuckDBDataChunk, column: number): Vector =>
  duckdb.data_chunk_get_vector(chunk.chunk, column);

type FixedArray = Int32Array | Float32Array | Float64Array | BigInt64Array | BigUint64Array | Uint8Array;

function copyInto(vector: Vector, values: FixedArray, count: number): void {
  if (count === 0) return;
  const bytes = count * values.BYTES_PER_ELEMENT;
  duckdb.copy_data_to_vector(vector, 0, values.buffer as ArrayBuffer, values.byteOffset, bytes);
}

/** Copies `count` values; `nulls` (one byte per row, 1 = NULL) is applied when it holds any. */
export function fillFixed(vector: Vector, values: FixedArray, count: number, nulls?: Uint8Array): void {
  copyInto(vector, values, count);
  if (nulls !== undefined) fillNulls(vector, nulls, count);
}

export function fillNulls(vector: Vector, nulls: Uint8Array, count: number): void {
  if (nulls.subarray(0, count).indexOf(1) < 0) return;
  const bits = new Uint8Array(Math.ceil(count / 64) * 8).fill(0xff);
  for (let i = 0; i < count; i++) if (nulls[i] === 1) bits[i >> 3]! &= ~(1 << (i & 7));
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, bits.buffer as ArrayBuffer, 0, bits.byteLength);
}

/** UTF-8 strings; `null` is NULL. */
export function fillStrings(vector: Vector, count: number, at: (row: number) => Uint8Array | null): void {
  const nulls = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const bytes = at(i);
    if (bytes === null) nulls[i] = 1;
    else duckdb.vector_assign_string_element_len(vector, i, bytes);
  }
  fillNulls(vector, nulls, count);
}

function bytesOf(vector: Vector, bytes: number): Uint8Array {
  return bytes === 0 ? new Uint8Array(0) : duckdb.vector_get_data(vector, bytes);
}

export function viewBigInts(chunk: DuckDBDataChunk, column: number): BigInt64Array {
  const data = bytesOf(vectorOf(chunk, column), chunk.rowCount * 8);
  return new BigInt64Array(data.buffer, data.byteOffset, chunk.rowCount);
}

export function viewDoubles(chunk: DuckDBDataChunk, column: number): Float64Array {
  const data = bytesOf(vectorOf(chunk, column), chunk.rowCount * 8);
  return new Float64Array(data.buffer, data.byteOffset, chunk.rowCount);
}

export function viewInts(chunk: DuckDBDataChunk, column: number): Int32Array {
  const data = bytesOf(vectorOf(chunk, column), chunk.rowCount * 4);
  return new Int32Array(data.buffer, data.byteOffset, chunk.rowCount);
}

export function viewBooleans(chunk: DuckDBDataChunk, column: number): Uint8Array {
  return bytesOf(vectorOf(chunk, column), chunk.rowCount);
}

/** Which rows are NULL. */
export function nullTest(chunk: DuckDBDataChunk, column: number): (row: number) => boolean {
  const words = Math.ceil(chunk.rowCount / 64);
  const bits: Uint8Array | null = duckdb.vector_get_validity(vectorOf(chunk, column), words * 8);
  return bits ? (row) => (bits[row >> 3]! & (1 << (row & 7))) === 0 : () => false;
}
