import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { genes } from "../testing/fake-mesh.ts";
import { casForm, h5ad, startWorld, type World } from "../testing/world.ts";
import { noQuota } from "./general.ts";
import { cellFields } from "./query-cells.ts";

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.stop());

const general = "/api/cellarium-general";
const operations = "/api/cellarium-cell-operations";

async function getJson(path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(world.url + path, init);
  assert.equal(response.status, 200, `${path}: ${response.status}`);
  return response.json();
}

const postJson = (path: string, body: unknown) =>
  fetch(world.url + path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });

const upload = (path: string, form: FormData, headers: Record<string, string> = {}) =>
  fetch(`${world.url}${operations}/${path}`, { method: "POST", body: form, headers });

test("what a client asks for at construction has the shapes it reads", async () => {
  assert.deepEqual(await getJson(`${general}/validate-token`), {
    username: "local",
    email: "",
    should_ask_for_feedback: false,
  });
  assert.deepEqual(await getJson(`${general}/application-info`), {
    application_version: "1.2.3",
    default_feature_schema: "genes",
  });
  assert.deepEqual(await getJson(`${general}/feature-schemas`), [{ schema_name: "genes" }]);
  assert.deepEqual(await getJson(`${general}/feature-schema/genes`), genes);
  assert.deepEqual(await getJson(`${general}/quota`), noQuota);
  assert.deepEqual(await getJson(`${general}/list-models`), [
    {
      model_name: "pca",
      description: "fake <b>model</b>",
      schema_name: "genes",
      is_default_model: true,
      embedding_dimension: 8,
      ontological_columns: [
        { ontology_resource_name: "cl", column_name: "cell_type", description: "Cell Ontology" },
      ],
    },
  ]);
});

test("a base URL that ends in a slash works too", async () => {
  assert.deepEqual(await getJson(`/${general}/feature-schemas`), [{ schema_name: "genes" }]);
});

test("client versions are compared as PEP 440 has it", async () => {
  const verdict = async (client_version: string) => {
    const response = await postJson(`${general}/validate-client-version`, { client_version });
    return [response.status, await response.json()];
  };
  assert.deepEqual(await verdict("1.8.1.dev3"), [200, { is_valid: true, min_version: "1.8.0" }]);
  assert.deepEqual(await verdict("1.8.0rc1"), [200, { is_valid: false, min_version: "1.8.0" }]);
  assert.deepEqual(await verdict("latest"), [
    400,
    { detail: "Client version latest is not a valid version string" },
  ]);
  assert.equal((await postJson(`${general}/validate-client-version`, {})).status, 422);
});

test("an ontology resource leaves its ancestors out and is not sent again to who has it", async () => {
  const path = `${world.url}${general}/cell-ontology-resource/cl`;
  const first = await fetch(path);
  assert.deepEqual(Object.keys((await first.json()) as object).sort(), [
    "cell_ontology_term_id_to_cell_type",
    "children_dictionary",
    "cl_names",
    "longest_path_lengths_from_cell_root",
    "shortest_path_lengths_from_cell_root",
  ]);
  assert.equal(first.headers.get("cache-control"), "public, max-age=86400");
  const etag = first.headers.get("etag") ?? "";
  for (const header of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const again = await fetch(path, { headers: { "if-none-match": header } });
    assert.equal(again.status, 304, header);
    assert.equal(await again.text(), "");
  }
  assert.equal((await fetch(path, { headers: { "if-none-match": '"other"' } })).status, 200);
  const unknown = await fetch(`${world.url}${general}/cell-ontology-resource/nope`);
  assert.equal(unknown.status, 404);
  assert.deepEqual(await unknown.json(), { detail: 'there is no ontology "nope"' });
});

test("summary statistics come back cell by cell, in the order of the file, duplicate names included", async () => {
  const file = await h5ad({ cellIds: ["b", "a", "b"], totals: Float32Array.of(100, 200, 300) });
  const form = casForm(file, { model_name: "pca", include_extended_output: "True" });
  const response = await upload("annotate-cell-type-summary-statistics-strategy", form, {
    "x-client-session-id": "session",
    "x-client-action-id": "action",
    "x-request-id": "r-42",
  });
  assert.equal(response.status, 200);
  const cells = (await response.json()) as { query_cell_id: string; matches: object[] }[];
  assert.deepEqual(
    cells.map((cell) => cell.query_cell_id),
    ["b", "a", "b"],
  );
  assert.deepEqual(cells[0]?.matches[0], {
    cell_type: "T cell",
    cell_count: 3,
    min_distance: 0.25,
    p25_distance: 0.3,
    median_distance: 0.4,
    p75_distance: 0.5,
    max_distance: 0.6,
  });
  assert.equal(response.headers.get("x-client-session-id"), "session");
  assert.equal(response.headers.get("x-client-action-id"), "action");
  assert.match(response.headers.get("x-trace-id") ?? "", /^[0-9a-f]{32}$/);
  assert.equal(world.seen.requestIds.at(-1), "r-42");
  const header = world.seen.annotate.at(-1);
  assert.equal(header?.search?.model, "pca");
  assert.deepEqual(header?.search?.featureIds, [], "the genes are the model's own");
  const rows = world.seen.rows.at(-1);
  const floats = (bytes: Uint8Array | undefined) => [
    ...new Float32Array(Uint8Array.from(bytes ?? []).buffer),
  ];
  assert.deepEqual(floats(rows?.totalCounts), [100, 200, 300]);
  assert.deepEqual(floats(rows?.data), [1, 3, 5, 2, 4, 6, 3, 5, 7]);
});

test("the ontology-aware strategy takes its parameters from the form, parts in any order", async () => {
  const form = new FormData();
  form.set("prune_threshold", "0.1");
  form.set("weighting_prefactor", "2.0");
  form.set("model_name", "pca");
  form.set("file", new Blob([new Uint8Array(await h5ad())]), "adata.h5ad");
  const response = await upload("annotate-cell-type-ontology-aware-strategy", form);
  assert.equal(response.status, 200);
  const cells = (await response.json()) as Record<string, unknown>[];
  assert.deepEqual(cells[2], {
    query_cell_id: "cell-2",
    matches: [
      { score: 1, cell_type_ontology_term_id: "CL:0000000", cell_type: "term 0" },
      { score: 0.6, cell_type_ontology_term_id: "CL:0000001", cell_type: "term 1" },
      { score: 0.6, cell_type_ontology_term_id: "CL:0000002", cell_type: "term 2" },
    ],
    total_weight: 1.5,
    total_neighbors: 4,
    total_neighbors_unrecognized: 0,
  });
  const strategy = world.seen.annotate.at(-1)?.strategy;
  assert.equal(strategy?.case, "ontologyAware");
  assert.deepEqual([strategy.value.pruneThreshold, strategy.value.weightingPrefactor], [0.1, 2]);
});

test("a search answers with cell indexes as numbers", async () => {
  const response = await upload("nearest-neighbor-search", casForm(await h5ad({ cells: 1 })));
  assert.deepEqual(await response.json(), [
    {
      query_cell_id: "cell-0",
      neighbors: [
        { cas_cell_index: 7, distance: 0.25 },
        { cas_cell_index: 8, distance: 0.5 },
      ],
    },
  ]);
});

test("gene ids are found in the column of var that has them", async () => {
  const file = await h5ad({
    var: {
      index: ["MT-1", "CD3", "CD4"],
      columns: {
        biotype: { kind: "string", values: ["gene", "gene", "gene"] },
        gene_ids: {
          kind: "categorical",
          codes: Int32Array.of(2, 0, 1),
          categories: ["ENSG02", "other", "ENSG05"],
          ordered: false,
        },
      },
    },
  });
  assert.equal((await upload("nearest-neighbor-search", casForm(file))).status, 200);
  assert.deepEqual(world.seen.search.at(-1)?.featureIds, ["ENSG05", "ENSG02", "other"]);
});

test("a file without cells has an empty answer", async () => {
  const response = await upload("nearest-neighbor-search", casForm(await h5ad({ cells: 0 })));
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), []);
});

test("what the caller did wrong is 4xx with a detail that says what", async () => {
  const file = await h5ad();
  const refusals: [string, FormData, number, RegExp][] = [
    [
      "nearest-neighbor-search",
      casForm(file, { model_name: "nope" }),
      400,
      /Model nope not found in the database/,
    ],
    ["nearest-neighbor-search", casForm(file, { model_name: "bare" }), 400, /has no index yet/],
    ["nearest-neighbor-search", casForm(file, {}), 422, /model_name/],
    ["nearest-neighbor-search", casForm(Buffer.from("hello")), 400, /uploaded file/],
    [
      "annotate-cell-type-ontology-aware-strategy",
      casForm(file, { model_name: "pca", prune_threshold: "much" }),
      422,
      /prune_threshold/,
    ],
    [
      "annotate-cell-type-ontology-aware-strategy",
      casForm(file, { model_name: "pca", ontology_column_name: "tissue" }),
      400,
      /Model 'pca' does not have a configured ontology resource for 'tissue'/,
    ],
    [
      "nearest-neighbor-search",
      casForm(await h5ad({ var: { index: ["Mt1", "Mt2"], columns: {} } })),
      400,
      /none of the 2 genes.*"Mt1".*"ENSG01"/,
    ],
    [
      "nearest-neighbor-search",
      casForm(await h5ad({ totals: Float32Array.of(1, Number.NaN, 1) })),
      400,
      /total_mrna_umis has NaN in row 1/,
    ],
  ];
  for (const [path, form, status, detail] of refusals) {
    const response = await upload(path, form);
    const text = await response.text();
    assert.equal(response.status, status, text);
    assert.match(
      JSON.stringify((JSON.parse(text) as { detail: unknown }).detail).replaceAll('\\"', '"'),
      detail,
    );
    assert.doesNotMatch(text, /upload-|\/tmp\//, "no path of this machine leaves");
    assert.match(response.headers.get("x-trace-id") ?? "", /^[0-9a-f]{32}$/);
  }
  assert.deepEqual(await world.leftovers(), []);
});

test("cells are looked up with all fields, none of them null", async () => {
  const response = await postJson(`${operations}/query-cells-by-ids`, {
    cas_cell_ids: [5, 200, 3],
    metadata_feature_names: null,
  });
  const cells = (await response.json()) as Record<string, unknown>[];
  assert.deepEqual(
    cells.map((cell) => cell.cas_cell_index),
    [5, 3],
  );
  assert.deepEqual(Object.keys(cells[0] ?? {}).sort(), [...cellFields].sort());
  assert.equal(cellFields.length, 21);
  assert.deepEqual(
    [
      cells[0]?.cell_type,
      cells[0]?.donor_id,
      cells[0]?.is_primary_data,
      cells[0]?.total_mrna_umis,
      cells[0]?.tissue,
    ],
    ["T cell", "", true, 12, "blood-data"],
  );
  const unknown = await postJson(`${operations}/query-cells-by-ids`, {
    cas_cell_ids: [1],
    metadata_feature_names: ["age"],
  });
  assert.equal(unknown.status, 400);
  assert.match(
    ((await unknown.json()) as { detail: string }).detail,
    /^Feature age is not available for querying\. Please specify any of/,
  );
  for (const cas_cell_ids of [["x"], [1.5], [-1], "1", undefined])
    assert.equal((await postJson(`${operations}/query-cells-by-ids`, { cas_cell_ids })).status, 422);
  const many = Array.from({ length: 20_001 }, (_, i) => i);
  assert.equal((await postJson(`${operations}/query-cells-by-ids`, { cas_cell_ids: many })).status, 400);
});

test("paths that do not exist and bodies that are no JSON say so in the words of the API", async () => {
  const missing = await fetch(`${world.url}/api/nothing`);
  assert.equal(missing.status, 404);
  assert.deepEqual(await missing.json(), { detail: "Not Found" });
  const junk = await fetch(`${world.url}${operations}/query-cells-by-ids`, {
    method: "POST",
    body: "{",
    headers: { "content-type": "application/json" },
  });
  assert.equal(junk.status, 400);
  assert.equal(typeof ((await junk.json()) as { detail: unknown }).detail, "string");
});
