import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Curriculum,
  CurriculumSchema,
  type Ingest,
  IngestSchema,
} from "@cytomesh/contracts/catalog/v1/resources";
import { createLocalCopies, createObjectStore, toUri } from "@cytomesh/object-store";
import { createIngestWriter, type ObsField } from "@cytomesh/omics-store";
import { createTaskPool, storeLayout } from "@cytomesh/service-kit";
import type { ExtractCatalog } from "../clients/catalog.ts";
import type { ExtractDeps } from "../services/deps.ts";

/** The threads of all worlds of a test file; close them after its tests. */
export const pool = createTaskPool(new URL("../services/tasks.ts", import.meta.url), { threads: 2 });

/** A catalog in memory, with its tables open to the test. */
function fakeCatalog() {
  const ingests: Ingest[] = [];
  const curricula = new Map<string, Curriculum>();
  const schemas = new Map<string, string[]>();
  const found = <T>(value: T | undefined, what: string): T => {
    if (value === undefined) throw new ConnectError(`there is no ${what}`, Code.NotFound);
    return value;
  };
  const catalog: ExtractCatalog = {
    ingests: async (dataset) => ingests.filter((ingest) => ingest.dataset === dataset),
    curriculum: async (name) => found(curricula.get(name), `curriculum ${name}`),
    async registerCurriculum(init) {
      const curriculum = create(CurriculumSchema, init);
      curricula.set(curriculum.name, curriculum);
      return curriculum;
    },
    featureIds: async (name) => found(schemas.get(name), `feature schema ${name}`),
    async createFeatureSchema(name, ids) {
      const known = schemas.get(name);
      if (known !== undefined && known.join() !== ids.join())
        throw new ConnectError(`feature schema ${name} has other ids`, Code.AlreadyExists);
      schemas.set(name, ids);
    },
  };
  return { catalog, ingests, curricula, schemas };
}

/** An ingest of made-up cells: cell `i` has `i + 1` counts of gene `i % genes`. */
export interface MadeIngest {
  readonly id: string;
  readonly genes: readonly string[];
  readonly cells: number;
  readonly obs: readonly ObsField[];
}

/** A store with ingests, and a catalog that knows them. */
export async function makeWorld() {
  const root = await mkdtemp(join(tmpdir(), "extract-"));
  const tempDir = join(root, "tmp");
  await mkdir(tempDir);
  const store = createObjectStore();
  const fake = fakeCatalog();
  const deps: ExtractDeps = {
    store,
    storeUri: toUri(join(root, "store")),
    tempDir,
    catalog: fake.catalog,
    copies: createLocalCopies(store, join(root, "cache")),
    pool,
    memoryBytes: 64 * 1024 * 1024,
  };
  const layout = storeLayout(deps.storeUri);
  return {
    ...fake,
    deps,
    tempDir,
    layout,
    local: (uri: string) => store.localPath(uri) as string,
    async addIngest({ id, genes, cells, obs }: MadeIngest): Promise<void> {
      const cellIdStart = fake.ingests.reduce((sum, one) => sum + Number(one.cells), 0);
      const writer = await createIngestWriter({
        dir: store.localPath(layout.ingest("d", id)) as string,
        ingestId: id,
        cellIdStart,
        featureIdStart: 100 * fake.ingests.length,
        features: { ids: [...genes], columns: {} },
        obsSchema: [...obs],
        countsType: "int32",
        provenance: { sourceName: `${id}.h5ad`, sha256: "0".repeat(64) },
      });
      const all = Array.from({ length: cells }, (_, i) => i);
      await writer.append({
        rows: {
          nRows: cells,
          nCols: genes.length,
          indptr: Float64Array.from([...all, cells]),
          indices: Int32Array.from(all, (i) => i % genes.length),
          data: Float32Array.from(all, (i) => i + 1),
        },
        originalIds: all.map((i) => `${id}-${i}`),
        totals: Float64Array.from(all, (i) => i + 1),
        obs: Object.fromEntries(
          obs.map(({ name }) => [
            name,
            { kind: "string" as const, values: all.map((i) => `${name} ${i % 3}`) },
          ]),
        ),
      });
      await writer.finish();
      fake.ingests.push(
        create(IngestSchema, { id, dataset: "d", cells: BigInt(cells), cellIdStart: BigInt(cellIdStart) }),
      );
    },
    async close() {
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
