import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { findCandidates, renderPolygons, starPolygons } from "./instances.ts";

const root = join(import.meta.dirname, "..", "..", "..", "..");
const data = process.env.CYTOMESH_TEST_DATA ?? join(root, "..", "shared", "data");
const parity = join(data, "golden", "stardist_parity");

async function read(name: string): Promise<ArrayBuffer> {
  const bytes = await readFile(join(parity, `sd_cellpose_img_075.${name}`));
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

test("what StarDist makes of its published prediction is found to the pixel", async (t) => {
  if (!existsSync(parity)) return t.skip("shared data not present");
  const rows = 152;
  const columns = 120;
  const cellsFirst = new Float32Array(await read("dist.bin"));
  const distances = new Float32Array(cellsFirst.length);
  for (let cell = 0; cell < rows * columns; cell++)
    for (let k = 0; k < 32; k++) distances[k * rows * columns + cell] = cellsFirst[cell * 32 + k]!;
  const probabilities = new Float32Array(await read("prob.bin"));
  const candidates = findCandidates(
    { rows, columns, rays: 32, grid: [2, 2], probabilities, distances },
    240,
    300,
    0.479071463157368,
  );
  assert.equal(candidates.probabilities.length, 23);
  const found = await starPolygons(candidates, 0.3);
  assert.deepEqual([...found.points], [266, 150, 110, 52, 8, 232]);
  const labels = renderPolygons(found, 240, 300);
  const expected = new Int32Array(await read("labels.bin"));
  assert.equal(labels.filter((label, i) => label !== expected[i]).length, 0);
});
