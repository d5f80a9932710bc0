import assert from "node:assert/strict";
import { test } from "node:test";
import { logNormalize, rowTotal } from "./counts.ts";
import { demoOntology } from "./demo-ontology.ts";
import type { Study } from "./studies.ts";
import { generateStudies } from "./studies.ts";
import type { Column } from "./table.ts";

const SIZES = { studies: 4, cellsPerStudy: 700, queryCells: 600, genes: 2000 };
const studies = generateStudies(1, SIZES);
const references = studies.filter((study) => study.role === "reference");
const query = studies.find((study) => study.role === "query")!;

function featureIds(study: Study): string[] {
  const column = study.var.columns.gene_ids;
  return column?.kind === "string" ? column.values : study.var.index;
}

/** Ids that every study measures, in the order of the first. */
function sharedIds(list: readonly Study[]): string[] {
  return list.map(featureIds).reduce((kept, ids) => {
    const known = new Set(ids);
    return kept.filter((id) => known.has(id));
  });
}

function labels(column: Column | undefined): string[] {
  assert.ok(column?.kind === "categorical");
  return Array.from(column.codes, (code) => column.categories[code]!);
}

test("the same seed gives the same studies, another seed others", () => {
  const tiny = { studies: 2, cellsPerStudy: 30, queryCells: 10, genes: 300 };
  assert.deepEqual(generateStudies(5, tiny), generateStudies(5, tiny));
  assert.notDeepEqual(generateStudies(5, tiny), generateStudies(6, tiny));
});

test("a study does not depend on how many others there are", () => {
  const tiny = { cellsPerStudy: 20, queryCells: 10, genes: 300 };
  const one = generateStudies(5, { ...tiny, studies: 1 });
  const three = generateStudies(5, { ...tiny, studies: 3 });
  assert.deepEqual(three[0], one[0]);
  assert.deepEqual(three[3], one[1]);
});

test("sizes out of range are refused", () => {
  for (const sizes of [{ studies: 0 }, { cellsPerStudy: 1.5 }, { queryCells: 2e6 }, { genes: 50 }]) {
    assert.throws(() => generateStudies(1, sizes), RangeError);
  }
});

test("counts are non-negative whole numbers in CSR, no cell is empty, all names are distinct", () => {
  for (const { x, obs, var: genes, truth } of studies) {
    assert.equal(x.indptr[0], 0);
    assert.equal(x.indptr[x.nRows], x.data.length);
    assert.equal(x.indices.length, x.data.length);
    assert.equal(truth.length, x.nRows);
    assert.ok(x.data.every((value) => value > 0 && Number.isInteger(value)));
    for (let row = 0; row < x.nRows; row++) {
      assert.ok(rowTotal(x, row) > 0);
      for (let i = x.indptr[row]! + 1; i < x.indptr[row + 1]!; i++)
        assert.ok(x.indices[i - 1]! < x.indices[i]!);
    }
    assert.equal(new Set(obs.index).size, x.nRows);
    assert.equal(new Set(genes.index).size, x.nCols);
    for (const table of [obs, genes]) {
      for (const column of Object.values(table.columns)) {
        assert.equal(
          column.kind === "categorical" ? column.codes.length : column.values.length,
          table.index.length,
        );
      }
    }
  }
});

test("the default studies come in four layouts with ids in the index or a column", () => {
  assert.deepEqual(
    references.map((study) => study.layout),
    ["csr", "csc", "dense", "raw"],
  );
  assert.deepEqual(
    references.map((study) => "gene_ids" in study.var.columns),
    [true, false, false, false],
  );
});

test("studies measure overlapping but different genes, in different orders", () => {
  const lists = studies.map(featureIds);
  const shared = sharedIds(studies);
  const known = new Set(shared);
  lists.forEach((list, s) => {
    assert.ok(list.length > shared.length && shared.length > list.length / 2);
    if (s > 0)
      assert.notDeepEqual(
        list.filter((id) => known.has(id)),
        shared,
      );
    assert.ok(list.every((id) => /^ENSG\d{11}$/.test(id)));
    const madeUp = list.filter((id) => id.startsWith("ENSG000009"));
    assert.ok(madeUp.length > list.length / 2);
  });
});

test("obs names its columns as CELLxGENE does and the query hides its cell types", () => {
  const { ontology } = demoOntology();
  for (const study of references) {
    const ids = labels(study.obs.columns.cell_type_ontology_term_id);
    const names = labels(study.obs.columns.cell_type);
    ids.forEach((id, row) => {
      const index = ontology.indexOf(id);
      const truth = ontology.indexOf(study.truth[row]!);
      assert.equal(names[row], ontology.label(index));
      assert.ok(index === truth || ontology.isAncestor(index, truth));
    });
    const donors = new Set(labels(study.obs.columns.donor_id)).size;
    assert.ok(donors === 2 || donors === 3);
    for (const name of ["assay", "tissue", "sex", "disease"]) {
      assert.ok(name in study.obs.columns && `${name}_ontology_term_id` in study.obs.columns);
    }
  }
  assert.deepEqual(
    Object.keys(query.obs.columns).filter((name) => name.startsWith("cell_type")),
    [],
  );
  const seen = new Set(references.flatMap((study) => labels(study.obs.columns.donor_id)));
  assert.ok(labels(query.obs.columns.donor_id).every((donor) => !seen.has(donor)));
});

test("library sizes spread log-normally around the study's depth", () => {
  for (const study of studies) {
    const logs = Array.from({ length: study.x.nRows }, (_, row) => Math.log(rowTotal(study.x, row))).sort(
      (a, b) => a - b,
    );
    const [low, median, high] = [0.16, 0.5, 0.84].map((q) => logs[Math.floor(q * logs.length)]!) as [
      number,
      number,
      number,
    ];
    assert.ok(median > Math.log(1200) && median < Math.log(4500));
    assert.ok((high - low) / 2 > 0.25 && (high - low) / 2 < 0.7);
  }
});

test("a nearest-centroid classifier finds over 95 % of an unseen donor's types, but not all, erring among kin", () => {
  const predicted = nearestCentroid(references, query);
  const wrong = predicted.flatMap((id, row) =>
    id === query.truth[row] ? [] : [[id, query.truth[row]!] as const],
  );
  const accuracy = 1 - wrong.length / predicted.length;
  assert.ok(accuracy > 0.95 && accuracy < 1, `accuracy ${accuracy}`);
  const { ontology } = demoOntology();
  const tight = ["T cell", "B cell", "monocyte", "dendritic cell", "lymphocyte"].map(ontology.findByLabel);
  const kin = wrong.filter((pair) =>
    tight.some((family) => pair.every((id) => ontology.isAncestor(family, ontology.indexOf(id)))),
  );
  assert.ok(kin.length >= wrong.length / 2, `${kin.length} of ${wrong.length} errors are among kin`);
});

/** Mean of log-normalised counts per true type over the genes that every study measures; Euclidean distance. */
function nearestCentroid(train: readonly Study[], test: Study): string[] {
  const shared = sharedIds([...train, test]);
  const column = new Map(shared.map((id, index) => [id, index]));
  const rows = (study: Study): Float64Array[] => {
    const { nRows, indptr, indices, data } = logNormalize(study.x);
    const target = Int32Array.from(featureIds(study), (id) => column.get(id) ?? -1);
    return Array.from({ length: nRows }, (_, row) => {
      const dense = new Float64Array(shared.length);
      for (let i = indptr[row]!; i < indptr[row + 1]!; i++) {
        const to = target[indices[i]!]!;
        if (to >= 0) dense[to] = data[i]!;
      }
      return dense;
    });
  };
  const sums = new Map<string, { sum: Float64Array; n: number }>();
  for (const study of train) {
    rows(study).forEach((values, row) => {
      const id = study.truth[row]!;
      const entry = sums.get(id) ?? { sum: new Float64Array(shared.length), n: 0 };
      for (let g = 0; g < values.length; g++) entry.sum[g]! += values[g]!;
      entry.n++;
      sums.set(id, entry);
    });
  }
  const centroids = [...sums].map(([id, { sum, n }]) => [id, sum.map((value) => value / n)] as const);
  return rows(test).map((values) => {
    let best = "";
    let least = Number.POSITIVE_INFINITY;
    for (const [id, centroid] of centroids) {
      let distance = 0;
      for (let g = 0; g < values.length; g++) distance += (values[g]! - centroid[g]!) ** 2;
      if (distance < least) [best, least] = [id, distance];
    }
    return best;
  });
}
