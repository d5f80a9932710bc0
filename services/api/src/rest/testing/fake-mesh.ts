import type { ServiceImpl } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { MeshService } from "@cytomesh/contracts/api/v1/mesh_service";
import { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import {
  type AnnotateHeader,
  type CellRows,
  InferenceService,
  type SearchHeader,
} from "@cytomesh/contracts/inference/v1/inference_service";
import { JobState } from "@cytomesh/contracts/jobs/v1/job";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { bindService, type ServiceBinding } from "@cytomesh/rpc";

/** Genes of the fake model. */
export const genes = ["ENSG01", "ENSG02", "ENSG03", "ENSG04", "ENSG05"];

/** What the fake services were asked. */
export interface Seen {
  annotate: AnnotateHeader[];
  search: SearchHeader[];
  rows: CellRows[];
  requestIds: string[];
  /** Annotate calls that ended without being read to their end. */
  cancelled: number;
}

/** Answers that a test wants to be other than usual. */
export interface FakeOptions {
  /** Called before every batch of answers; may wait or throw. */
  onBatch?: (signal: AbortSignal) => Promise<void> | void;
  /** Terms per cell in ontology-aware answers. */
  terms?: number;
  distance?: number;
  catalog?: Partial<ServiceImpl<typeof CatalogService>>;
  jobs?: Partial<ServiceImpl<typeof JobService>>;
}

const origin = {
  index: "blood-index",
  indexSha256: "aa",
  model: "pca",
  modelSha256: "bb",
  overlap: { modelGenes: genes.length, queryGenes: genes.length, sharedGenes: genes.length },
};

const job = {
  id: "0190-job",
  kind: "ingest",
  service: "ingest",
  state: JobState.RUNNING,
  revision: 3n,
  attempt: 1,
  maxAttempts: 5,
};

function missing(what: string): ConnectError {
  return new ConnectError(`there is no ${what}`, Code.NotFound);
}

/** Services that answer with the shapes of the real ones. */
export function fakeMesh(o: FakeOptions = {}): { services: ServiceBinding[]; seen: Seen } {
  const seen: Seen = { annotate: [], search: [], rows: [], requestIds: [], cancelled: 0 };
  const distance = o.distance ?? 0.25;

  async function* batches(
    requests: AsyncIterable<{ message: { case: string | undefined; value?: unknown } }>,
    signal: AbortSignal,
    onHeader: (header: never) => void,
  ): AsyncGenerator<string[]> {
    let done = false;
    try {
      for await (const { message } of requests) {
        if (message.case === "header") onHeader(message.value as never);
        if (message.case !== "rows") continue;
        await o.onBatch?.(signal);
        const rows = message.value as CellRows;
        seen.rows.push(rows);
        yield rows.cellIds;
      }
      done = true;
    } finally {
      // A cancelled call may look to its handler like one whose requests have ended.
      if (!done || signal.aborted) seen.cancelled++;
    }
  }

  const inference: ServiceImpl<typeof InferenceService> = {
    async *embed() {},
    async *search(requests, context) {
      let first = true;
      seen.requestIds.push(context.requestHeader.get("x-request-id") ?? "");
      for await (const ids of batches(requests, context.signal, (header: SearchHeader) =>
        seen.search.push(header),
      )) {
        const neighbors = ids.map((queryCellId) => ({
          queryCellId,
          cellIds: [7n, 8n],
          distances: [distance, 0.5],
        }));
        yield first ? { origin, neighbors } : { neighbors };
        first = false;
      }
    },
    async *annotate(requests, context) {
      seen.requestIds.push(context.requestHeader.get("x-request-id") ?? "");
      let first = true;
      for await (const ids of batches(requests, context.signal, (header: AnnotateHeader) =>
        seen.annotate.push(header),
      )) {
        const aware = seen.annotate.at(-1)?.strategy.case === "ontologyAware";
        const annotations = ids.map((queryCellId) => ({
          queryCellId,
          ...(aware ? ontologyAnswer() : summaryAnswer()),
        }));
        yield first ? { origin, annotations } : { annotations };
        first = false;
      }
    },
    embedBins: () => ({}),
    buildIndex: () => ({}),
  };
  const summaryAnswer = () => ({
    summaryMatches: [
      {
        cellType: "T cell",
        cellCount: 3,
        minDistance: distance,
        p25Distance: 0.3,
        medianDistance: 0.4,
        p75Distance: 0.5,
        maxDistance: 0.6,
      },
      {
        cellType: "B cell",
        cellCount: 1,
        minDistance: 0.7,
        p25Distance: 0.7,
        medianDistance: 0.7,
        p75Distance: 0.7,
        maxDistance: 0.7,
      },
    ],
  });
  const ontologyAnswer = () => ({
    ontologyMatches: Array.from({ length: o.terms ?? 3 }, (_, i) => ({
      score: i === 0 ? 1 : 0.6,
      cellTypeOntologyTermId: `CL:000000${i % 3}`,
      cellType: `term ${i % 3}`,
    })),
    totalWeight: 1.5,
    totalNeighbors: 4,
    totalNeighborsUnrecognized: 0,
  });

  const model = {
    name: "pca",
    kind: "pca",
    featureSchema: "genes",
    dimension: 8,
    description: "fake <b>model</b>",
    isDefault: true,
  };
  const index = {
    name: "blood-index",
    model: "pca",
    embedding: "pca.blood",
    ontology: "cl",
    isDefault: true,
    kind: "exact",
  };
  const catalog = {
    listModels: () => ({ models: [{ ...model, name: "bare", isDefault: false }, model] }),
    getModel: ({ name }: { name: string }) => {
      if (name !== "pca" && name !== "bare") throw missing(`model "${name}"`);
      return { model: { ...model, name } };
    },
    listIndexes: () => ({ indexes: [index] }),
    getIndex: ({ name }: { name: string }) => {
      if (name !== index.name) throw missing(`index "${name}"`);
      return { index };
    },
    listFeatureSchemas: () => ({ featureSchemas: [{ name: "genes", size: genes.length }] }),
    getFeatureSchema: ({ name }: { name: string }) => {
      if (name !== "genes") throw missing(`feature schema "${name}"`);
      return { featureSchema: { name, featureIds: genes } };
    },
    getOntology: ({ name }: { name: string }) => {
      if (name !== "cl") throw missing(`ontology "${name}"`);
      return {
        ontology: {
          name,
          uri: "file:///cl.json",
          sha256: "cc",
          columnName: "cell_type",
          description: "Cell Ontology",
        },
      };
    },
    getEmbedding: () => ({ embedding: { name: "pca.blood", curriculum: "blood" } }),
    getCurriculum: () => ({ curriculum: { name: "blood", dataset: "blood-data" } }),
    listDatasets: () => ({
      datasets: [{ name: "blood-data", cells: 12n, description: "<script>alert(1)</script>" }],
    }),
    listCurricula: () => ({ curricula: [{ name: "blood" }] }),
    getLineage: ({ kind, name }: { kind: string; name: string }) => ({
      nodes: [{ kind, name, facts: { cells: "12" } }],
    }),
    ...o.catalog,
  } as ServiceImpl<typeof CatalogService>;

  const jobs = {
    createJob: (request) => ({
      job: { ...job, spec: request.spec ?? {}, after: request.after },
      created: request.idempotencyKey !== "again",
    }),
    getJob: ({ id }) => {
      if (id !== job.id) throw missing(`job "${id}"`);
      return { job };
    },
    listJobs: (request) => ({
      jobs: [
        { ...job, progress: { done: 3n, total: 10n, unit: "cells" }, kind: request.kinds[0] ?? job.kind },
      ],
    }),
    listJobItems: () => ({ items: [{ key: "file:///a.h5ad" }] }),
    async *watchJob({ id }) {
      if (id !== job.id) throw missing(`job "${id}"`);
      yield { job };
      yield { job: { ...job, state: JobState.SUCCEEDED, revision: 4n } };
    },
    cancelJob: () => ({ job: { ...job, cancelRequested: true } }),
    ...o.jobs,
  } as ServiceImpl<typeof JobService>;

  return {
    seen,
    services: [
      bindService(InferenceService, inference),
      bindService(CatalogService, catalog),
      bindService(JobService, jobs),
      bindService(MeshService, {
        getMeshStatus: () => ({
          version: "1.2.3",
          eventBus: "in-process",
          services: [
            { name: "api", serving: true, address: "here" },
            { name: "imaging", reason: "<away>" },
          ],
        }),
      }),
      bindService(ExtractService, {
        countCells: () => ({ cells: 12n }),
        listValues: () => ({}),
        getCells: ({ cellIds, dataset }) => ({
          cells: cellIds
            .filter((id) => id < 100n)
            .map((cellId) => ({
              cellId,
              obs: {
                cell_type: "T cell",
                donor_id: null,
                is_primary_data: true,
                total_mrna_umis: 12.0,
                tissue: dataset,
              },
            })),
        }),
        prepareCurriculum: () => ({}),
        extractBins: () => ({}),
      }),
    ],
  };
}

/** The ontology resource behind the fake catalog. */
export const fakeOntology = {
  cl_names: ["CL:0000000", "CL:0000001", "CL:0000002"],
  cell_ontology_term_id_to_cell_type: {
    "CL:0000000": "term 0",
    "CL:0000001": "term 1",
    "CL:0000002": "term 2",
  },
  children_dictionary: { "CL:0000000": ["CL:0000001"], "CL:0000001": ["CL:0000002"], "CL:0000002": [] },
  shortest_path_lengths_from_cell_root: { "CL:0000000": 0, "CL:0000001": 1, "CL:0000002": 2 },
  longest_path_lengths_from_cell_root: { "CL:0000000": 0, "CL:0000001": 1, "CL:0000002": 2 },
  ancestors_dictionary: {
    "CL:0000000": [],
    "CL:0000001": ["CL:0000000"],
    "CL:0000002": ["CL:0000000", "CL:0000001"],
  },
};
