import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { writeH5ad } from "@cytomesh/anndata";
import {
  CurriculumSchema,
  CurriculumState,
  type Model,
  ModelSchema,
} from "@cytomesh/contracts/catalog/v1/resources";
import type { CsrRowsLike } from "@cytomesh/kernels";
import { createObjectStore, joinUri, putJson, toUri } from "@cytomesh/object-store";
import { type BinsManifest, binFileName, hashFile, totalCountsColumn } from "@cytomesh/omics-store";
import { createTaskPool, storeLayout } from "@cytomesh/service-kit";
import type { TrainingCatalog } from "../clients/catalog.ts";
import type { TrainingDeps } from "../services/deps.ts";

/** The threads of all worlds of a test file; close them after its tests. */
export const pool = createTaskPool(new URL("../services/tasks.ts", import.meta.url), { threads: 2 });

/** More bins than there are shards, of unequal size. */
export const shape = { bins: 19, genes: 30 };

/** Made-up bins: three kinds of cells, each with genes of its own. */
export function makeBins(): { rows: CsrRowsLike; totals: Float64Array }[] {
  let state = 12_345;
  const next = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
  return Array.from({ length: shape.bins }, (_, bin) => {
    const nRows = 3 + (bin % 4);
    const indptr = new Float64Array(nRows + 1);
    const indices: number[] = [];
    const data: number[] = [];
    const totals = new Float64Array(nRows);
    for (let row = 0; row < nRows; row++) {
      const kind = Math.floor(next() * 3);
      for (let gene = 0; gene < shape.genes; gene++) {
        const count = Math.floor(next() * (gene % 3 === kind ? 20 : 3));
        if (count === 0) continue;
        indices.push(gene);
        data.push(count);
        totals[row] = (totals[row] ?? 0) + count;
      }
      // Counts of genes outside the schema belong to the total as well.
      totals[row] = (totals[row] ?? 0) + 10;
      indptr[row + 1] = indices.length;
    }
    return {
      totals,
      rows: {
        nRows,
        nCols: shape.genes,
        indptr,
        indices: Int32Array.from(indices),
        data: Float32Array.from(data),
      },
    };
  });
}

function fakeCatalog(uri: string, cells: number) {
  const featureIds = Array.from({ length: shape.genes }, (_, i) => `gene${i}`);
  const curriculum = create(CurriculumSchema, {
    name: "c",
    dataset: "d",
    state: CurriculumState.EXTRACTED,
    featureSchema: "genes",
    uri,
    manifestSha256: "a".repeat(64),
    cells: BigInt(cells),
    bins: shape.bins,
  });
  const models = new Map<string, Model>();
  const missing = (what: string): never => {
    throw new ConnectError(`there is no ${what}`, Code.NotFound);
  };
  const catalog: TrainingCatalog = {
    curriculum: async (name) => (name === "c" ? curriculum : missing(name)),
    featureIds: async (name) => (name === "genes" ? featureIds : missing(name)),
    model: async (name) => models.get(name) ?? missing(name),
    async registerModel(init) {
      const model = create(ModelSchema, init);
      models.set(model.name, model);
      return model;
    },
  };
  return { catalog, curriculum, models, featureIds };
}

/** A store with an extracted curriculum, and a catalog that knows it. */
export async function makeWorld() {
  const root = await mkdtemp(join(tmpdir(), "training-"));
  const tempDir = join(root, "tmp");
  await mkdir(tempDir);
  const store = createObjectStore();
  const storeUri = toUri(join(root, "store"));
  const layout = storeLayout(storeUri);
  const bins = makeBins();
  const cells = bins.reduce((sum, bin) => sum + bin.rows.nRows, 0);
  const fake = fakeCatalog(layout.curriculum("c"), cells);
  const binsDir = store.localPath(layout.bins("c")) as string;
  await mkdir(binsDir, { recursive: true });
  const published: BinsManifest["bins"] = [];
  let id = 0;
  for (const [bin, { rows, totals }] of bins.entries()) {
    const path = join(binsDir, binFileName(bin));
    const total = { kind: "number", dtype: "float64", values: totals } as const;
    await writeH5ad(path, {
      x: { ...rows },
      obs: {
        index: Array.from({ length: rows.nRows }, () => String(id++)),
        columns: { [totalCountsColumn]: total },
      },
      var: { index: fake.featureIds, columns: {} },
    });
    const nnz = rows.indices.length;
    published.push({ bin, file: binFileName(bin), cells: rows.nRows, nnz, ...(await hashFile(path)) });
  }
  const manifest: BinsManifest = {
    version: 1,
    curriculum: "c",
    curriculumManifestSha256: fake.curriculum.manifestSha256,
    cells,
    bins: published,
  };
  await putJson(store, joinUri(layout.bins("c"), "manifest.json"), manifest);
  const deps: TrainingDeps = { store, storeUri, tempDir, catalog: fake.catalog, pool, maxGramGenes: 64 };
  return {
    ...fake,
    deps,
    bins,
    binsDir,
    cells,
    layout,
    tempDir,
    async close() {
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** SHA-256 in lower-case hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
