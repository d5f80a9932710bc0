import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { extractBins } from "./extract.ts";
import { prepareCurriculum } from "./prepare.ts";
import { inTempDir, valueAt, writeIngest } from "./test-tables.ts";

test("smoke", async () =>
  inTempDir(async (dir) => {
    const m = await writeIngest(join(dir, "a"), {
      id: "a",
      cellIdStart: 5,
      featureIdStart: 100,
      genes: ["g1", "g2", "g1"],
      countsType: "int32",
      schema: [
        { name: "cell type", type: "string" },
        { name: "age", type: "int" },
        { name: "nnz", type: "float" },
        { name: "ok", type: "bool" },
      ],
      cells: Array.from({ length: 25 }, (_, i) => ({
        original: `c${i}`,
        obs: { "cell type": i % 3 ? `t${i % 3}` : null, age: i % 4 ? i : null, nnz: i / 2, ok: i % 2 === 0 },
        entries: [
          [2, i],
          [0, 1],
          [1, 7],
        ],
      })),
    });
    console.log(JSON.stringify(m));
    const c = await prepareCurriculum({
      ingestDirs: [join(dir, "a")],
      outDir: join(dir, "c"),
      request: {
        filters: { age__gte: 3 },
        features: ["g2", "zz", "g1"],
        binSize: 7,
        binKeys: ["cell type"],
        seed: 3,
        obsColumns: ["cell type", "age", "obs_nnz", "ok", "ingest_id"],
      },
    });
    console.log(JSON.stringify(c));
    await extractBins({
      ingestDirs: [join(dir, "a")],
      curriculumDir: join(dir, "c"),
      bins: c.bins.map((b) => b.bin),
      onBin: async (b) => {
        console.log(
          b.bin,
          b.index.join(),
          [...b.rows.indptr].join(),
          [...b.rows.indices].join(),
          [...b.rows.data].join(),
          Object.keys(b.obs).map((k) => k + "=" + b.index.map((_, i) => valueAt(b.obs[k]!, i))),
        );
      },
    });
  }));
