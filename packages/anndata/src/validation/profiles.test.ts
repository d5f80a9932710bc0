import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import {
  type AnnDataInput,
  type Column,
  parseGeneList,
  profileOf,
  validateAnnData,
  validationProfiles,
  withGeneLists,
  writeH5ad,
} from "../index.ts";
import { counts, csr, opened, temporaryFolder } from "../test-fixtures.ts";

const folder = temporaryFolder();
after(folder.remove);
const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../../../shared/data");
let made = 0;

const text = (...values: (string | null)[]): Column => ({ kind: "string", values });
const all = (value: string, n: number): Column => ({
  kind: "categorical",
  codes: new Int32Array(n),
  categories: [value],
  ordered: false,
});
const flags = (n: number): Column => ({ kind: "boolean", values: new Uint8Array(n) });

const nCells = 4;
const genes = ["ENSG00000127603", "ENSG00000141510", "ERCC-00002"];
const categorical = (...values: string[]): Column => {
  const categories = [...new Set(values)].sort();
  const codes = Int32Array.from(values, (value) => categories.indexOf(value));
  return { kind: "categorical", codes, categories, ordered: false };
};
const goodObs = (): Record<string, Column> => ({
  assay_ontology_term_id: all("EFO:0009899", nCells),
  cell_type_ontology_term_id: text("CL:0000066", "CL:0000084", "unknown", "CL:0000066"),
  development_stage_ontology_term_id: all("HsapDv:0000003", nCells),
  disease_ontology_term_id: text(
    "PATO:0000461",
    "MONDO:0004604 || MONDO:0100096",
    "MONDO:0100096",
    "PATO:0000461",
  ),
  donor_id: all("d1", nCells),
  is_primary_data: flags(nCells),
  self_reported_ethnicity_ontology_term_id: all("HANCESTRO:0019", nCells),
  sex_ontology_term_id: all("PATO:0000383", nCells),
  suspension_type: all("nucleus", nCells),
  tissue_ontology_term_id: all("UBERON:0002048", nCells),
  tissue_type: all("tissue", nCells),
});
const rows = [
  [1, 0, 0],
  [0, 2, 0],
  [0, 0, 3],
  [0, 1, 1],
];
const good = (): AnnDataInput => ({
  x: csr(
    rows.map((row) => row.map(Math.log1p)),
    3,
  ),
  raw: { x: csr(rows, 3), var: { index: genes, columns: {} } },
  obs: { index: ["a", "b", "c", "d"], columns: goodObs() },
  var: { index: genes, columns: { feature_is_filtered: flags(3) } },
  obsm: { X_umap: { data: Float32Array.from({ length: 8 }, (_, i) => i), shape: [4, 2] } },
  uns: { title: "Lung", organism_ontology_term_id: "NCBITaxon:9606" },
});

async function found(input: AnnDataInput, profile: Parameters<typeof validateAnnData>[1] = "cellxgene-7.1") {
  const path = folder.path(`${made++}.h5ad`);
  await writeH5ad(path, input);
  return validateAnnData(await opened(path), profile);
}
const short = async (...input: Parameters<typeof found>) =>
  (await found(...input)).map(
    ({ code, where, severity }) => `${severity === "error" ? "" : "? "}${code} ${where}`,
  );

test("profiles are plain data", () => {
  assert.deepEqual(
    [...validationProfiles.keys()],
    ["minimal", "counts", "raw_counts", "cellxgene-7.1", "cellxgene-7.1-published", "cas"],
  );
  for (const profile of validationProfiles.values())
    assert.deepEqual(JSON.parse(JSON.stringify(profile)), structuredClone(profile));
  assert.throws(() => profileOf("cellxgene"), /no validation profile "cellxgene"; there are minimal, counts/);
});

test("a file as curators should deliver it has no problem", async () => {
  // Three genes are few, that is all.
  assert.deepEqual(await short(good()), ["? few_genes var"]);
});

test("every broken rule is in one report", async () => {
  const obs = goodObs();
  delete obs.donor_id;
  obs.assay_ontology_term_id = all("EFO:0009922 (sci-plex)", nCells);
  obs.disease_ontology_term_id = text(
    "MONDO:0100096 || MONDO:0004604",
    "PATO:0000461",
    "MONDO:0100096",
    "PATO:0000461",
  );
  obs.tissue_type = {
    kind: "categorical",
    codes: Int32Array.of(0, -1, 0, 0),
    categories: ["tissue", "organoid"],
    ordered: false,
  };
  obs.is_primary_data = all("True", nCells);
  obs.organism_ontology_term_id = all("NCBITaxon:9606", nCells);
  const problems = await found({
    obsm: { X_one: { data: new Float32Array(4), shape: [4, 1] } },
    x: csr([...rows.slice(0, 2), [0, 0, 0], [1, 0, 0]], 3),
    obs: { index: ["a", "b", "c", "c"], columns: obs },
    var: { index: ["ENSG00000127603.4", "TP53", "ERCC-00002"], columns: {} },
    uns: { organism_ontology_term_id: "NCBITaxon:9606", default_embedding: "X_two", tags: "a" },
  });
  assert.deepEqual(
    problems.map(({ code, where }) => `${code} ${where}`),
    [
      "duplicate_obs_name obs/_index",
      "bad_value obs/assay_ontology_term_id",
      "bad_value obs/disease_ontology_term_id",
      "wrong_kind obs/is_primary_data",
      "unused_category obs/tissue_type",
      "missing_value obs/tissue_type",
      "missing_column obs/donor_id",
      "forbidden_column obs/organism_ontology_term_id",
      "few_genes var",
      "bad_name var/_index",
      "missing_column var/feature_is_filtered",
      "equal_cells X",
      "empty_cell X",
      "bad_obsm obsm/X_one",
      "missing_uns uns/title",
      "bad_uns uns/default_embedding",
      "forbidden_uns uns/tags",
    ],
  );
  const assay = problems.find(({ where }) => where === "obs/assay_ontology_term_id");
  assert.equal(
    assay?.message,
    'obs/assay_ontology_term_id has 4 values that are not an EFO term, for example EFO:0009899: "EFO:0009922 (sci-plex)"',
  );
  assert.deepEqual([assay?.count, assay?.examples], [4, ['"EFO:0009922 (sci-plex)"']]);
  assert.match(problems.find(({ code }) => code === "equal_cells")?.message ?? "", /rows 0 and 3/);
});

const cellLine = (): Record<string, Column> => ({
  ...goodObs(),
  tissue_type: all("cell line", nCells),
  tissue_ontology_term_id: all("CVCL_0030", nCells),
  ...Object.fromEntries(
    ["cell_type", "development_stage", "self_reported_ethnicity", "sex"].map((name) => [
      `${name}_ontology_term_id`,
      all("na", nCells),
    ]),
  ),
  donor_id: all("na", nCells),
});
const withObs = (columns: Record<string, Column>): AnnDataInput => {
  const input = good();
  return { ...input, obs: { ...input.obs, columns: { ...goodObs(), ...columns } } };
};
const withUns = (more: AnnDataInput["uns"]): AnnDataInput => ({ ...good(), uns: { ...good().uns, ...more } });
const embedding = (data: number[]) => ({ data: Float32Array.from(data), shape: [4, data.length / 4] });

test("rules that hold for some rows, some organisms, or with something else", async () => {
  const wrong: Record<string, AnnDataInput> = {
    "bad_value obs/donor_id": withObs({ donor_id: all("na", nCells) }),
    "bad_value obs/suspension_type": withObs({ suspension_type: all("na", nCells) }),
    "bad_value obs/sex_ontology_term_id": withObs({ sex_ontology_term_id: all("na", nCells) }),
    "bad_value obs/tissue_ontology_term_id": withObs({ tissue_ontology_term_id: all("CL:0000084", nCells) }),
    "bad_value obs/development_stage_ontology_term_id": withObs({
      development_stage_ontology_term_id: all("MmusDv:0000003", nCells),
    }),
    "bad_value obs/cell_type_ontology_term_id": withObs({
      ...cellLine(),
      cell_type_ontology_term_id: categorical("na", "na", "CL:0000066", "na"),
    }),
    "wrong_kind obs/donor_id": withObs({ donor_id: text("a", "b", "c", "d") }),
    "forbidden_column obs/genetic_perturbation_id": withObs({
      genetic_perturbation_id: all("g", nCells),
      genetic_perturbation_strategy: all("control", nCells),
    }),
    "missing_column obs/genetic_perturbation_id": withUns({
      genetic_perturbations: { g: { role: "control" } },
    }),
    "reserved_name obs/__x": withObs({ __x: all("a", nCells) }),
    "forbidden_column obs/cell_type": withObs({ cell_type: all("B cell", nCells) }),
    "bad_uns uns/batch_condition": withUns({ batch_condition: ["donor_id", "batch"] }),
    "bad_uns uns/donor_id_colors": withUns({ donor_id_colors: ["#12"] }),
    "bad_uns uns/note": withUns({ note: "" }),
    "bad_uns uns/title": withUns({ title: " Lung" }),
    "bad_obsm obsm/X_a": { ...good(), obsm: { X_a: embedding([0, 1, Infinity, 2, 3, 4, 5, 6]) } },
    "bad_name obsm/X_spatial": { ...good(), obsm: { X_spatial: embedding([0, 1, 2, 3, 4, 5, 6, 7]) } },
    "bad_name var/_index": {
      ...good(),
      var: { index: ["ENSMUSG00000000001", ...genes.slice(1)], columns: good().var.columns },
      raw: { x: csr(rows, 3), var: { index: ["ENSMUSG00000000001", ...genes.slice(1)], columns: {} } },
    },
    "raw_differs raw/var": {
      ...good(),
      raw: { x: csr(rows, 3), var: { index: genes.toReversed(), columns: {} } },
    },
    "bad_value var/feature_is_filtered": {
      ...good(),
      x: csr(rows, 3),
      var: {
        index: genes,
        columns: { feature_is_filtered: { kind: "boolean", values: Uint8Array.of(0, 1, 0) } },
      },
    },
  };
  delete wrong["bad_value var/feature_is_filtered"]!.raw;
  for (const [expected, input] of Object.entries(wrong)) {
    const problems = (await short(input)).filter((problem) => !problem.startsWith("?"));
    const both = expected === "bad_name var/_index" ? [expected, "bad_name raw/var/_index"] : [expected];
    assert.deepEqual(problems, both);
  }
  assert.deepEqual(await short(withObs(cellLine())), ["? few_genes var"]);
});

test("features said to be filtered, or not, are held against X and raw; assays that count nothing need no counts", async () => {
  const flagged = (...values: number[]): AnnDataInput => ({
    ...good(),
    x: csr(
      rows.map((row) => [row[0]!, 0, row[2]!]),
      3,
    ),
    var: {
      index: genes,
      columns: { feature_is_filtered: { kind: "boolean", values: Uint8Array.from(values) } },
    },
  });
  const told = (input: AnnDataInput) =>
    found(input).then((problems) =>
      problems.filter(({ code }) => code === "filtered_gene").map(({ examples }) => examples),
    );
  assert.deepEqual(await told(flagged(0, 1, 0)), []);
  assert.deepEqual(await told(flagged(1, 0, 0)), [[`"${genes[0]}"`], [`"${genes[1]}"`]]);
  const halves = good();
  halves.x = csr(
    rows.map((row) => row.map((value) => value / 2)),
    3,
  );
  delete halves.raw;
  assert.deepEqual(await short(halves), ["? few_genes var", "non_integer_count X"]);
  halves.obs.columns.assay_ontology_term_id = all("EFO:0007045", nCells);
  assert.deepEqual(await short(halves), ["? few_genes var"]);
});

test("spots beside a tissue may be empty, and need no embedding but their places", async () => {
  const input = withUns({ spatial: { is_single: true } });
  const some = rows.map((row, i) => (i === 2 ? [0, 0, 0] : row));
  input.raw = { x: csr(some, 3), var: { index: genes, columns: {} } };
  input.obsm = { spatial: embedding([0, 1, 2, 3, 4, 5, 6, 7]) };
  assert.deepEqual(await short(input), ["? few_genes var", "empty_cell raw/X"]);
  const inTissue: Column = { kind: "number", dtype: "int64", values: Int32Array.of(1, 1, 0, 1) };
  input.obs.columns.in_tissue = inTissue;
  assert.deepEqual(await short(input), ["? few_genes var"]);
});

test("layouts of matrices: by column, and dense where most is zero", async () => {
  const input = { ...good(), layers: { l: csr(rows, 3) } };
  for (const [xFormat, code] of [
    ["csc", "wrong_layout"],
    ["dense", "dense_matrix"],
  ] as const) {
    const path = folder.path(`${xFormat}.h5ad`);
    await writeH5ad(path, input, { xFormat });
    const problems = validateAnnData(await opened(path), "cellxgene-7.1").filter(
      ({ severity }) => severity === "error",
    );
    assert.deepEqual(
      problems.map((problem) => `${problem.code} ${problem.where}`),
      [`${code} X`, `${code} raw/X`, `${code} layers/l`],
    );
  }
});

test("what is published has labels, which curators leave out", async () => {
  const input = good();
  const labels = [
    "assay",
    "cell_type",
    "development_stage",
    "disease",
    "self_reported_ethnicity",
    "sex",
    "tissue",
  ];
  for (const name of [...labels, "observation_joinid"]) input.obs.columns[name] = all("x", nCells);
  for (const name of ["name", "reference", "biotype", "length", "type"])
    input.var.columns[`feature_${name}`] = all("x", 3);
  const uns = {
    schema_version: "7.1.0",
    schema_reference: "https://x",
    citation: "c",
    organism: "Homo sapiens",
  };
  const published = { ...input, uns: { ...input.uns, ...uns } };
  assert.deepEqual(await short(published, "cellxgene-7.1-published"), ["? few_genes var"]);
  assert.equal((await short(published)).filter((problem) => problem.startsWith("forbidden")).length, 17);
  assert.equal(
    (await short(good(), "cellxgene-7.1-published")).filter((problem) => /^missing/.test(problem)).length,
    17,
  );
});

test("values that no dtype can tell from counts are no counts", async () => {
  const values = counts(6, 4).map((row) => row.map((value) => value * 1e9));
  assert.deepEqual(
    await short(
      {
        x: csr(values, 4),
        obs: { index: [..."abcdef"], columns: {} },
        var: { index: [..."wxyz"], columns: {} },
      },
      "counts",
    ),
    ["unverifiable_count X"],
  );
});

test("rounded normalised values and scaled counts are warned of", async () => {
  const index = Array.from({ length: 40 }, (_, i) => `c${i}`);
  const frameOf = (names: string[]) => ({ index: names, columns: {} });
  const even = index.map((_, i) => [i + 1, 10_000 - i - 1, 0]);
  const doubled = index.map((_, i) => [2 * i + 2, 4, 0]);
  const plain = index.map((_, i) => [i + 1, 1, 0]);
  const judge = (values: number[][]) =>
    short({ x: csr(values, 3), obs: frameOf(index), var: frameOf(["a", "b", "c"]) }, "counts");
  assert.deepEqual(await judge(even), ["? scaled_counts X"]);
  assert.deepEqual(await judge(doubled), ["? scaled_counts X"]);
  assert.deepEqual(await judge(plain), []);
});

test("a profile with gene lists names the features that no list has", async () => {
  const gencode = parseGeneList(
    "v1",
    "ENSG00000127603,MACF1,19,5000,protein_coding\r\nENSG00000182378_PAR_Y,X,1,1,x\n",
  );
  assert.deepEqual(gencode.ids, ["ENSG00000127603"]);
  assert.deepEqual(parseGeneList("j", '["b", "a", "b"]').ids, ["b", "a"]);
  assert.deepEqual(parseGeneList("t", "gene_id\tname\nENSG1\tA\n# note\n\n").ids, ["ENSG1"]);
  assert.throws(() => parseGeneList("t", "\n"), { tag: "invalid", message: "gene list t is empty" });
  assert.throws(() => parseGeneList("t", "[1]"), /not an array of ids/);
  const problems = await found(
    good(),
    withGeneLists(profileOf("minimal"), [gencode, { name: "ercc", ids: ["ERCC-00002"] }]),
  );
  assert.deepEqual(
    problems.map(({ message }) => message),
    ["var", "raw/var"].map((where) => `1 of 3 features of ${where} are not in v1 or ercc: "ENSG00000141510"`),
  );
});

test("real files: a valid curator file passes, others are told what they lack", async (t) => {
  if (!existsSync(join(data, "omics"))) return t.skip("shared data not present");
  const codes = async (name: string, profile: Parameters<typeof validateAnnData>[1]) =>
    validateAnnData(await opened(join(data, "omics", name)), profile).map(
      ({ code, where }) => `${code} ${where}`,
    );
  assert.deepEqual(await codes("cxg_example_valid_schema_latest.h5ad", "cellxgene-7.1"), [
    "unused_category obs/tissue_type",
    "few_genes var",
  ]);
  const old = await codes("cxg_example_invalid_tissue.h5ad", "cellxgene-7.1");
  for (const expected of [
    "bad_value obs/tissue_ontology_term_id",
    "missing_column obs/donor_id",
    "forbidden_column obs/organism_ontology_term_id",
  ])
    assert.ok(old.includes(expected), `${expected} in ${old.join(", ")}`);
  assert.ok(
    (await codes("cellxgene_220x18357.h5ad", "cas")).includes("missing_column var/feature_reference"),
  );
  assert.ok((await codes("pbmc3k_spapros_hvg.h5ad", "counts")).length > 0);
  const list = gunzipSync(
    readFileSync(join(data, "golden/genes/genes_homo_sapiens_gencode_v43.csv.gz")),
  ).toString();
  const gencode43 = withGeneLists(profileOf("minimal"), [parseGeneList("gencode-43", list)]);
  const file = await opened(join(data, "omics/cellarium_100x18082_ensembl.h5ad"));
  const unknown = validateAnnData(file, gencode43).filter(({ code }) => code === "unknown_gene");
  assert.ok((unknown[0]?.count ?? 0) < file.nVar / 10, "most genes are in GENCODE 43");
});

test("counts of cells divided by size factors and rounded have holes, and are no counts", async () => {
  const [cells, genes] = [60, 400];
  const index = Array.from({ length: cells }, (_, i) => `c${i}`);
  // Geometric with many ones, as counts are; the seed is the place.
  const counts = index.map((_, i) =>
    Array.from({ length: genes }, (_, j) => {
      const chance = ((Math.imul(i * genes + j + 1, 0x9e3779b1) >>> 8) % 9973) / 9973;
      return Math.floor(Math.log(1 - chance) / Math.log(0.55));
    }),
  );
  const judge = (change: (count: number, cell: number) => number) =>
    short(
      {
        x: csr(
          counts.map((row, i) => row.map((count) => change(count, i))),
          genes,
        ),
        obs: { index, columns: {} },
        var: { index: Array.from({ length: genes }, (_, j) => `g${j}`), columns: {} },
      },
      "counts",
    );
  assert.deepEqual(await judge((count) => count), []);
  const scaled = ["scaled_counts X"];
  assert.deepEqual(await judge((count, cell) => Math.round(count * (0.7 + cell / 50))), scaled);
  assert.deepEqual(await judge((count, cell) => Math.floor(count * (1.1 + cell / 50))), scaled);
  assert.deepEqual(await judge((count) => Math.round(Math.log1p(4.5 * count))), scaled);
  assert.deepEqual(await judge((count) => 3 * count), scaled);
  assert.deepEqual(await judge((count) => Math.min(1, count)), ["? scaled_counts X"]);
});
