import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { generateStudies, writeStudies } from "../../packages/cli/src/demo/index.ts";

const python = process.env.CYTOMESH_PYTHON;
const dir = mkdtempSync(join(tmpdir(), "cytomesh-demo-interop-"));
after(() => rmSync(dir, { recursive: true, force: true }));

/** What anndata sees in a file, as JSON. */
const SCRIPT = `
import json, sys, warnings
import anndata, numpy
warnings.simplefilter("ignore")
out = []
for path in sys.argv[1:]:
    a = anndata.read_h5ad(path)
    counts = a.raw.X if a.raw is not None else a.X
    out.append({
        "kind": type(counts).__name__, "dtype": str(counts.dtype), "shape": list(a.shape),
        "total": float(counts.sum()), "obs": list(a.obs_names), "var": list(a.var_names),
        "columns": {name: str(a.obs[name].dtype) for name in a.obs},
        "values": {name: [str(v) for v in a.obs[name]] for name in a.obs if str(a.obs[name].dtype) == "category"},
        "title": a.uns["title"],
    })
print(json.dumps(out))
`;

test("anndata reads every demo file as it was made", { skip: python === undefined }, async () => {
  const studies = generateStudies(2, { studies: 4, cellsPerStudy: 50, queryCells: 20, genes: 300 });
  const files = await writeStudies(dir, studies);
  const paths = [...files.references, ...files.queries];
  const seen = JSON.parse(
    execFileSync(python!, ["-c", SCRIPT, ...paths], { encoding: "utf8", maxBuffer: 1 << 26 }),
  );
  const kinds = { csr: /csr/, csc: /csc/, dense: /ndarray/, raw: /csr/ };
  studies.forEach((study, s) => {
    assert.match(seen[s].kind, kinds[study.layout]);
    assert.equal(seen[s].dtype, "float32");
    assert.deepEqual(seen[s].shape, [study.x.nRows, study.x.nCols]);
    assert.equal(
      seen[s].total,
      study.x.data.reduce((sum, value) => sum + value, 0),
    );
    assert.deepEqual(seen[s].obs, study.obs.index);
    assert.deepEqual(seen[s].var, study.var.index);
    assert.equal(seen[s].title, study.uns.title);
    assert.equal(seen[s].columns.is_primary_data, "bool");
    for (const [name, column] of Object.entries(study.obs.columns)) {
      if (column.kind !== "categorical") continue;
      assert.deepEqual(
        seen[s].values[name],
        Array.from(column.codes, (code) => column.categories[code]),
      );
    }
  });
});
