import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { writeH5ad } from "@cytomesh/anndata";
import {
  CurriculumSchema,
  CurriculumState,
  FeatureSchemaSchema,
  ModelSchema,
  OntologySchema,
} from "@cytomesh/contracts/catalog/v1/resources";
import {
  addRowsToGram,
  buildPcaOnnx,
  type CsrRowsLike,
  emptyGram,
  finalizePca,
  normalizeLog1p,
  type PcaModel,
} from "@cytomesh/kernels";
import { createLocalCopies, createObjectStore, joinUri, putJson, toUri } from "@cytomesh/object-store";
import {
  type BinsManifest,
  binFileName,
  createIngestWriter,
  extractBins,
  hashFile,
  prepareCurriculum,
  totalCountsColumn,
} from "@cytomesh/omics-store";
import { buildResource } from "@cytomesh/ontology";
import { storeLayout } from "@cytomesh/service-kit";
import { fakeCatalog } from "./fake-catalog.ts";

/** Small enough for seconds, large enough for several bins and bins of unequal size. */
const shape = { cells: 300, genes: 60, schemaGenes: 50, binSize: 70, components: 6, topGenes: 40 };

const types = [
  { label: "CD4 T cell", term: "CL:0000624" },
  { label: "B cell", term: "CL:0000236" },
  { label: "erythrocyte", term: "CL:0000232" },
  { label: "mystery", term: "unknown" },
] as const;

const terms: [string, string, string[]][] = [
  ["CL:0000000", "cell", []],
  ["CL:0000542", "lymphocyte", ["CL:0000000"]],
  ["CL:0000084", "T cell", ["CL:0000542"]],
  ["CL:0000624", "CD4 T cell", ["CL:0000084"]],
  ["CL:0000236", "B cell", ["CL:0000542"]],
  ["CL:0000232", "erythrocyte", ["CL:0000000"]],
];

/** Ancestors and self of every term, for naive votes. */
export function lineOf(term: string): string[] {
  const parents = terms.find(([id]) => id === term)?.[2] ?? [];
  return [...new Set([term, ...parents.flatMap(lineOf)])];
}

/** Ids of the ontology in their order. */
export const termIds = terms.map(([id]) => id).sort();

/** A cell as the generator made it. */
export interface Cell {
  readonly id: number;
  readonly counts: number[];
  readonly total: number;
  readonly type: string;
  readonly term: string;
  readonly donor: string;
}

/** Seeded numbers in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Cells of four kinds, each with genes of its own. */
export function makeCells(count: number, seed: number, firstId = 0): Cell[] {
  const next = random(seed);
  return Array.from({ length: count }, (_, i) => {
    const kind = Math.floor(next() * types.length);
    const depth = 1 + 4 * next();
    const counts = Array.from({ length: shape.genes }, (_, gene) => {
      const rate = gene % types.length === kind ? 3 : 0.4;
      return next() < 0.35 ? 0 : Math.floor(next() * rate * depth * 2);
    });
    const { label, term } = types[kind] as (typeof types)[number];
    return {
      id: firstId + i,
      counts,
      total: counts.reduce((sum, one) => sum + one, 0),
      type: label,
      term,
      donor: `donor ${i % 3}`,
    };
  });
}

/** Genes of the ingest; the schema has the first of them, in another order. */
export const geneIds = Array.from({ length: shape.genes }, (_, i) => `ENSG${String(i).padStart(11, "0")}`);

/** The feature schema of curriculum and model. */
export const schemaIds = geneIds.slice(0, shape.schemaGenes).reverse();

function csrOf(cells: readonly Cell[]): CsrRowsLike {
  const entries = cells.map((cell) =>
    cell.counts.flatMap((count, gene) => (count > 0 ? [[gene, count]] : [])),
  );
  const indptr = new Float64Array(cells.length + 1);
  entries.forEach((row, i) => {
    indptr[i + 1] = indptr[i]! + row.length;
  });
  const flat = entries.flat() as [number, number][];
  return {
    nRows: cells.length,
    nCols: shape.genes,
    indptr,
    indices: Int32Array.from(flat, ([gene]) => gene),
    data: Float32Array.from(flat, ([, count]) => count),
  };
}

/** A store with an extracted curriculum, a model and an ontology, and a catalog that knows them. */
export async function makeWorld() {
  const root = await mkdtemp(join(tmpdir(), "inference-"));
  const store = createObjectStore();
  const storeUri = toUri(join(root, "store"));
  const tempDir = join(root, "tmp");
  await mkdir(tempDir, { recursive: true });
  const { tables, catalog } = fakeCatalog();
  const cells = makeCells(shape.cells, 7);
  const world = {
    root,
    store,
    storeUri,
    tempDir,
    catalog,
    tables,
    cells,
    copies: createLocalCopies(store, join(root, "cache")),
    async close() {
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
  await makeCurriculum(world);
  const pca = await makeModel(world);
  await makeOntology(world);
  return { ...world, pca };
}

type Base = {
  root: string;
  store: ReturnType<typeof createObjectStore>;
  storeUri: string;
  cells: Cell[];
  tables: ReturnType<typeof fakeCatalog>["tables"];
};

async function makeCurriculum({ root, store, storeUri, cells, tables }: Base): Promise<void> {
  const ingestDir = join(root, "ingest");
  const writer = await createIngestWriter({
    dir: ingestDir,
    ingestId: "ing-0000000000000001",
    cellIdStart: 0,
    featureIdStart: 0,
    features: { ids: geneIds, columns: {} },
    obsSchema: [
      { name: "cell_type", type: "string" },
      { name: "cell_type_ontology_term_id", type: "string" },
      { name: "donor", type: "string" },
      { name: "flag", type: "bool" },
    ],
    countsType: "int32",
    provenance: { sourceName: "file:///made.h5ad", sha256: "0".repeat(64) },
  });
  await writer.append({
    rows: csrOf(cells),
    originalIds: cells.map((cell) => `made-${cell.id}`),
    totals: Float64Array.from(cells, (cell) => cell.total),
    obs: {
      cell_type: { kind: "string", values: cells.map((cell) => cell.type) },
      cell_type_ontology_term_id: { kind: "string", values: cells.map((cell) => cell.term) },
      donor: { kind: "string", values: cells.map((cell) => cell.donor) },
      flag: { kind: "boolean", values: Uint8Array.from(cells, (cell) => cell.id % 2) },
    },
  });
  await writer.finish();
  const layout = storeLayout(storeUri);
  const curriculumDir = store.localPath(joinUri(layout.curriculum("cur"), "x"))!.slice(0, -2);
  const manifest = await prepareCurriculum({
    ingestDirs: [ingestDir],
    outDir: curriculumDir,
    request: {
      filters: {},
      features: schemaIds,
      binSize: shape.binSize,
      seed: 3,
      obsColumns: [
        "original_cell_id",
        "n_counts",
        "cell_type",
        "cell_type_ontology_term_id",
        "donor",
        "flag",
      ],
      // `original_cell_id` stays a string column.
      categoryLimit: 50,
    },
  });
  const published: BinsManifest["bins"] = [];
  await mkdir(join(curriculumDir, "bins"));
  await extractBins({
    ingestDirs: [ingestDir],
    curriculumDir,
    bins: manifest.bins.map((bin) => bin.bin),
    memoryBytes: 64 * 1024 * 1024,
    async onBin(bin) {
      const { n_counts: totals, ...columns } = bin.obs;
      const path = join(curriculumDir, "bins", binFileName(bin.bin));
      await writeH5ad(path, {
        x: bin.rows,
        obs: { index: bin.index, columns: { ...columns, [totalCountsColumn]: totals! } },
        var: { index: schemaIds, columns: {} },
      });
      published.push({
        bin: bin.bin,
        file: binFileName(bin.bin),
        cells: bin.rows.nRows,
        nnz: bin.rows.indptr[bin.rows.nRows]!,
        ...(await hashFile(path)),
      });
    },
  });
  const manifestSha256 = sha256(await readFile(join(curriculumDir, "manifest.json")));
  await putJson(store, joinUri(layout.bins("cur"), "manifest.json"), {
    version: 1,
    curriculum: "cur",
    curriculumManifestSha256: manifestSha256,
    cells: cells.length,
    bins: published.sort((a, b) => a.bin - b.bin),
  } satisfies BinsManifest);
  for (const [name, ids] of [
    ["genes", schemaIds],
    ["same-genes", schemaIds],
    ["other-genes", geneIds],
  ] as const)
    tables.schemas.set(
      name,
      create(FeatureSchemaSchema, {
        name,
        featureIds: [...ids],
        size: ids.length,
        sha256: sha256(ids.join("\n")),
      }),
    );
  tables.curricula.set(
    "cur",
    create(CurriculumSchema, {
      name: "cur",
      dataset: "made",
      state: CurriculumState.EXTRACTED,
      featureSchema: "genes",
      uri: layout.curriculum("cur"),
      manifestSha256,
      cells: BigInt(cells.length),
      bins: published.length,
      ingestIds: ["ing-0000000000000001"],
    }),
  );
}

async function makeModel({
  store,
  storeUri,
  cells,
  tables,
}: Base): Promise<PcaModel & { selected: Int32Array }> {
  // Fitted on the cells in the schema's columns; every gene outside the chosen ones is read and ignored.
  const selected = Int32Array.from({ length: shape.topGenes }, (_, i) => i);
  const columnMap = new Int32Array(geneIds.length).fill(-1);
  selected.forEach((column, position) => {
    columnMap[geneIds.indexOf(schemaIds[column]!)] = position;
  });
  const state = emptyGram(selected.length);
  const totals = Float64Array.from(cells, (cell) => cell.total);
  addRowsToGram(state, normalizeLog1p(csrOf(cells), totals, 10_000), columnMap);
  const pca = finalizePca(state, { nComponents: shape.components, scale: "none" });
  const onnx = buildPcaOnnx({
    featureIds: schemaIds,
    selected,
    mean: pca.mean,
    std: pca.std,
    components: pca.components,
    targetSum: 10_000,
    nComponents: shape.components,
    metadata: {},
  });
  const uri = storeLayout(storeUri).model("pca");
  await store.put(uri, onnx);
  const model = {
    name: "pca",
    kind: "pca",
    uri,
    sha256: sha256(onnx),
    featureSchema: "same-genes",
    dimension: shape.components,
  };
  tables.models.set("pca", create(ModelSchema, model));
  tables.models.set("other", create(ModelSchema, { ...model, name: "other", featureSchema: "other-genes" }));
  return { ...pca, selected };
}

async function makeOntology({ store, storeUri, tables }: Base): Promise<void> {
  const resource = buildResource(
    terms.map(([id, label, parents]) => ({ id, label, parents, obsolete: false, synonyms: [] })),
    { root: "CL:0000000", prefix: "CL:" },
  );
  const uri = storeLayout(storeUri).ontology("mini");
  const text = JSON.stringify(resource);
  await store.put(uri, text);
  tables.ontologies.set(
    "mini",
    create(OntologySchema, {
      name: "mini",
      uri,
      sha256: sha256(text),
      terms: terms.length,
      columnName: "cell_type",
    }),
  );
}

/** SHA-256 in lower-case hex. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
