import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeH5ad } from "@cytomesh/anndata";
import { openQuery } from "./query-file.ts";

let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "query-file-"));
});
after(() => rm(dir, { recursive: true, force: true }));

const ens = (i: number, suffix = "") => `ENSG${String(i).padStart(11, "0")}${suffix}`;

async function write(cells: number, index: string[], ids?: string[]): Promise<string> {
  const path = join(dir, "query.h5ad");
  const all = Array.from({ length: cells }, (_, i) => i);
  await writeH5ad(path, {
    x: {
      nRows: cells,
      nCols: 2,
      indptr: Float64Array.from([...all, cells], (i) => 2 * i),
      indices: Int32Array.from(all.flatMap(() => [0, 1])),
      data: Float32Array.from(all.flatMap((i) => [i + 1, 7])),
    },
    obs: {
      index: all.map((i) => `cell ${i}`),
      columns: {
        kind: {
          kind: "categorical",
          codes: Int32Array.from(all, (i) => (i % 3) - 1),
          categories: ["a", "b"],
          ordered: false,
        },
        depth: { kind: "number", dtype: "int32", values: Int32Array.from(all) },
      },
    },
    var: { index, columns: ids === undefined ? {} : { gene_ids: { kind: "string", values: ids } } },
  });
  return path;
}

test("a query is read in batches that keep ids and counts together", async () => {
  const query = await openQuery(await write(1_203, [ens(1, ".4"), ens(2)]));
  try {
    assert.equal(query.cells, 1_203);
    assert.deepEqual(query.featureIds, [ens(1), ens(2)]);
    const batches = [...query.batches()];
    assert.deepEqual(
      batches.map((batch) => batch.cellIds.length),
      [500, 500, 203],
    );
    let cell = 0;
    for (const { cellIds, indptr, indices, data, totalCounts } of batches) {
      assert.equal(cellIds[0], `cell ${cell}`);
      assert.deepEqual([...new Uint32Array(indptr.buffer)].slice(0, 3), [0, 2, 4]);
      assert.deepEqual([...new Uint32Array(indices.buffer)].slice(0, 4), [0, 1, 0, 1]);
      assert.deepEqual([...new Float32Array(data.buffer)].slice(0, 3), [cell + 1, 7, cell + 2]);
      assert.equal(totalCounts.length, 0);
      cell += cellIds.length;
    }
    assert.deepEqual(query.labels("kind")?.slice(0, 4), ["", "a", "b", ""]);
    assert.deepEqual([query.labels("depth"), query.labels("constructor")], [undefined, undefined]);
  } finally {
    query.close();
  }
});

test("ids come from a usual column when the index holds symbols", async () => {
  const query = await openQuery(await write(1, ["A", "B"], [ens(3, ".1"), ens(4)]));
  assert.deepEqual(query.featureIds, [ens(3), ens(4)]);
  query.close();
});

test("a file without counts is refused", async () => {
  const path = join(dir, "empty.h5ad");
  await writeH5ad(path, { obs: { index: ["a"], columns: {} }, var: { index: ["g"], columns: {} } });
  await assert.rejects(openQuery(path), /has neither X nor raw\.X/);
});
