import assert from "node:assert/strict";
import test from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { packCellRows } from "./cell-rows.ts";
import { CellRowsSchema } from "./gen/cytomesh/inference/v1/inference_service_pb.ts";

const uint32 = (bytes: Uint8Array) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
};
const float32 = (bytes: Uint8Array) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
};

const rows = {
  nRows: 3,
  indptr: Float64Array.of(0, 2, 2, 3),
  indices: Int32Array.of(4, 1, 70_000),
  data: Float64Array.of(1, 0.1, 2 ** 25),
};

test("rows are packed little-endian, offsets from 0, and survive the wire", () => {
  const packed = packCellRows(rows, ["a", "b", "c"], [5, 0, 2 ** 25]);
  const read = fromBinary(
    CellRowsSchema,
    toBinary(CellRowsSchema, { $typeName: CellRowsSchema.typeName, ...packed }),
  );
  assert.deepEqual(read.cellIds, ["a", "b", "c"]);
  assert.deepEqual(uint32(read.indptr), [0, 2, 2, 3]);
  assert.deepEqual(uint32(read.indices), [4, 1, 70_000]);
  assert.deepEqual(float32(read.data), [1, Math.fround(0.1), 2 ** 25]);
  assert.deepEqual(float32(read.totalCounts), [5, 0, 2 ** 25]);
});

test("a slice of larger rows takes its own entries alone, in memory of its own", () => {
  const part = { ...rows, nRows: 2, indptr: rows.indptr.subarray(1) };
  const packed = packCellRows(part, ["b", "c"], []);
  assert.deepEqual(uint32(packed.indptr), [0, 0, 1]);
  assert.deepEqual(uint32(packed.indices), [70_000]);
  assert.deepEqual(float32(packed.data), [2 ** 25]);
  assert.equal(packed.totalCounts.length, 0);
  for (const bytes of [packed.indptr, packed.indices, packed.data])
    assert.equal(bytes.buffer.byteLength, bytes.length);
});

test("no rows are packed as one offset", () => {
  const none = {
    nRows: 0,
    indptr: Float64Array.of(0),
    indices: new Int32Array(0),
    data: new Float32Array(0),
  };
  const packed = packCellRows(none, [], []);
  assert.deepEqual(uint32(packed.indptr), [0]);
  assert.equal(packed.data.length, 0);
});
