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
  self_reported_ethnicity_ontology_term_id: all("HANCESTRO:0005", nCells),
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
  x: csr(rows, 3),
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
    ["minimal", "counts", "raw_counts", "cellxgene-7.1", "cas"],
  );
  for (const profile of validationProfiles.values())
    assert.deepEqual(JSON.parse(JSON.stringify(profile)), structuredClone(profile));
  assert.throws(() => profileOf("cellxgene"), /no validation profile "cellxgene"; there are minimal, counts/);
});

test("a file as curators should deliver it has no problem", async () => {
  assert.deepEqual(await short(good()), []);
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
  obs.tissue_type = text("tissue", null, "tissue", "tissue");
  obs.is_primary_data = all("True", nCells);
  obs.organism_ontology_term_id = all("NCBITaxon:9606", nCells);
  const input = good();
  const problems = await found({
    ...input,
    x: csr([...rows.slice(0, 2), [0, 0, 0], [1, 0, 0]], 3),
    obs: { index: ["a", "b", "c", "c"], columns: obs },
    var: { index: ["ENSG00000127603.4", "TP53", "ERCC-00002"], columns: {} },
    obsm: { X_one: { data: new Float32Array(4), shape: [4, 1] } },
    uns: { organism_ontology_term_id: "human" },
  });
  assert.deepEqual(
    problems.map(({ code, where }) => `${code} ${where}`),
    [
      "duplicate_obs_name obs/_index",
      "bad_value obs/assay_ontology_term_id",
      "bad_value obs/disease_ontology_term_id",
      "wrong_kind obs/is_primary_data",
      "missing_value obs/tissue_type",
      "missing_column obs/donor_id",
      "forbidden_column obs/organism_ontology_term_id",
      "bad_name var/_index",
      "missing_column var/feature_is_filtered",
      "empty_cell X",
      "equal_cells X",
      "bad_obsm obsm/X_one",
      "missing_uns uns/title",
      "bad_uns uns/organism_ontology_term_id",
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
    ['1 of 3 features of var are not in v1 or ercc: "ENSG00000141510"'],
  );
});

test("real files: a valid curator file passes, others are told what they lack", async (t) => {
  if (!existsSync(join(data, "omics"))) return t.skip("shared data not present");
  const codes = async (name: string, profile: Parameters<typeof validateAnnData>[1]) =>
    validateAnnData(await opened(join(data, "omics", name)), profile).map(
      ({ code, where }) => `${code} ${where}`,
    );
  assert.deepEqual(await codes("cxg_example_valid_schema_latest.h5ad", "cellxgene-7.1"), []);
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
