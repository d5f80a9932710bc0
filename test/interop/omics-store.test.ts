import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createIngestWriter, prepareCurriculum } from "../../packages/omics-store/src/index.ts";

const python = process.env.CYTOMESH_PYTHON;
const dir = mkdtempSync(join(tmpdir(), "cytomesh-store-interop-"));
after(() => rmSync(dir, { recursive: true, force: true }));

/** A table as pyarrow and as Python's duckdb see it; exits with "missing" when neither module can be imported. */
const SCRIPT = `
import json, sys
try:
    import pyarrow.parquet as pq, duckdb
except ImportError as error:
    print(json.dumps({"missing": str(error)})); sys.exit(0)
out = []
for path in sys.argv[1:]:
    file = pq.ParquetFile(path)
    table = file.read()
    cursor = duckdb.connect().execute("SELECT * FROM read_parquet(?, hive_partitioning = false)", [path])
    names = [c[0] for c in cursor.description]
    out.append({
        "types": {f.name: str(f.type) for f in table.schema},
        "groups": [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)],
        "codec": file.metadata.row_group(0).column(0).compression,
        "arrow": table.to_pylist(),
        "duckdb": [dict(zip(names, row)) for row in cursor.fetchall()],
    })
print(json.dumps({"files": out}))
`;

interface Seen {
  types: Record<string, string>;
  groups: number[];
  codec: string;
  arrow: Record<string, unknown>[];
  duckdb: Record<string, unknown>[];
}

/** 5,000 cells, so that there are several row groups; cell i has i % 4 genes. */
async function writeStore(
  countsType: "int32" | "float32",
  encoding: "delta" | "plain",
): Promise<{ ingest: string; curriculum: string }> {
  const cells = 5000;
  const ingest = join(dir, countsType, encoding, "ingest=1");
  const writer = await createIngestWriter({
    dir: ingest,
    ingestId: "one",
    cellIdStart: 10,
    featureIdStart: 5,
    features: { ids: ["g0", "g1", "g2"], columns: {} },
    obsSchema: [
      { name: "kind ö", type: "string" },
      { name: "age", type: "int" },
      { name: "score", type: "float" },
      { name: "ok", type: "bool" },
    ],
    countsType,
    encoding,
    rowGroupBytes: 4000,
    provenance: { sourceName: "file:///made-up.h5ad", sha256: "0".repeat(64) },
  });
  const lists = Array.from({ length: cells }, (_, i) => Array.from({ length: i % 4 }, (_, k) => k % 3));
  const indptr = new Float64Array(cells + 1);
  lists.forEach((list, i) => {
    indptr[i + 1] = indptr[i]! + list.length;
  });
  const rows = Array.from({ length: cells }, (_, i) => i);
  await writer.append({
    rows: {
      nRows: cells,
      nCols: 3,
      indptr,
      indices: Int32Array.from(lists.flat()),
      data: Float32Array.from(lists.flat(), (_, k) =>
        countsType === "int32" ? 1 + (k % 300) : 0.25 * (1 + (k % 9)),
      ),
    },
    originalIds: rows.map((i) => `cell-😀-${i}`),
    totals: Float64Array.from(rows),
    obs: {
      "kind ö": { kind: "string", values: rows.map((i) => (i % 5 === 0 ? null : `k${i % 3}`)) },
      age: {
        kind: "number",
        dtype: "int64",
        values: Float64Array.from(rows, (i) => i * 2 ** 39),
        mask: Uint8Array.from(rows, (i) => (i % 7 === 0 ? 1 : 0)),
      },
      score: {
        kind: "number",
        dtype: "float64",
        values: Float64Array.from(rows, (i) => (i % 2 ? i / 3 : Number.NaN)),
      },
      ok: { kind: "boolean", values: Uint8Array.from(rows, (i) => i % 2) },
    },
  });
  await writer.finish();
  const curriculum = join(dir, countsType, encoding, "curriculum");
  const request = {
    filters: {},
    features: ["g2", "nope", "g0"],
    binSize: 1000,
    seed: 0,
    obsColumns: ["kind ö", "age"],
  };
  await prepareCurriculum({ ingestDirs: [ingest], outDir: curriculum, request });
  return { ingest, curriculum };
}

for (const [countsType, encoding] of [
  ["int32", "delta"],
  ["float32", "delta"],
  ["int32", "plain"],
] as const) {
  test(`pyarrow and Python's duckdb read ${countsType} files with ${encoding} lists equal`, {
    skip: !python,
  }, async (t) => {
    const { ingest, curriculum } = await writeStore(countsType, encoding);
    const paths = [
      ...["cells-00000", "obs", "features"].map((name) => join(ingest, `${name}.parquet`)),
      ...["assignments", "measured_genes"].map((name) => join(curriculum, `${name}.parquet`)),
    ];
    const answer: { missing?: string; files: Seen[] } = JSON.parse(
      execFileSync(python!, ["-c", SCRIPT, ...paths], { encoding: "utf8", maxBuffer: 1 << 27 }),
    );
    if (answer.missing !== undefined) return t.skip(answer.missing);
    for (const file of answer.files) {
      assert.deepEqual(file.duckdb, file.arrow);
      assert.equal(file.codec, "ZSTD");
    }
    const [cells, obs, features, assignments, measured] = answer.files as [Seen, Seen, Seen, Seen, Seen];
    assert.equal(cells.types.cell_id, "int64");
    assert.match(cells.types.feature_ids!, /^list<\w+: int32 not null>$/);
    assert.match(
      cells.types.counts!,
      countsType === "int32" ? /^list<\w+: int32 not null>$/ : /^list<\w+: float not null>$/,
    );
    assert.ok(cells.groups.length > 1, "several row groups");
    const cell = cells.arrow[3]!;
    assert.deepEqual(
      { ...cell, counts: undefined },
      {
        cell_id: 13,
        original_cell_id: "cell-😀-3",
        "kind ö": "k0",
        age: 3 * 2 ** 39,
        score: 1,
        ok: true,
        obs_extra: "{}",
        n_counts: 3,
        nnz: 3,
        feature_ids: [5, 6, 7],
        counts: undefined,
      },
    );
    assert.deepEqual(cell.counts, countsType === "int32" ? [4, 5, 6] : [1, 1.25, 1.5]);
    assert.deepEqual(
      [cells.arrow[0]!["kind ö"], cells.arrow[0]!.age, cells.arrow[0]!.score, cells.arrow[0]!.counts],
      [null, null, null, []],
    );
    const lists = ["feature_ids", "counts"];
    const scalars = Object.entries(cells.arrow[4]!).filter(([name]) => !lists.includes(name));
    assert.deepEqual(obs.arrow[4], Object.fromEntries(scalars));
    assert.deepEqual(features.arrow[2], { feature_id: 7, var_position: 2, feature: "g2" });
    const fingers = assignments.arrow.map((a) => [a.extract_bin, a.position]);
    assert.deepEqual(
      fingers,
      Array.from({ length: 5000 }, (_, i) => [Math.floor(i / 1000), i % 1000]),
    );
    assert.deepEqual(measured.arrow, [
      { ingest_id: "one", measured_count: 2, measured: [true, false, true] },
    ]);
  });
}
