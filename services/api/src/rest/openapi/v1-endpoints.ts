import type { DescMessage } from "@bufbuild/protobuf";
import {
  GetLineageResponseSchema,
  ListCurriculaResponseSchema,
  ListDatasetsResponseSchema,
  ListIndexesResponseSchema,
  ListModelsResponseSchema,
} from "@cytomesh/contracts/catalog/v1/catalog_service";
import { JobSchema } from "@cytomesh/contracts/jobs/v1/job";
import { ListJobItemsResponseSchema, ListJobsResponseSchema } from "@cytomesh/contracts/jobs/v1/job_service";
import { JobSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import type { Schema } from "./message-schemas.ts";
import {
  type Endpoint,
  form,
  integer,
  json,
  list,
  nullable,
  number,
  type Parameter,
  record,
  text,
} from "./operations.ts";

const query = (name: string, description: string, schema: Schema): Parameter => ({
  name,
  in: "query",
  description,
  schema,
});

const paging = [
  query("page_size", "Entries per page.", { ...integer, minimum: 1, maximum: 500 }),
  query("page_token", "nextPageToken of the page before.", text),
];

const states = (prefix: string, names: readonly string[]) =>
  query(
    "state",
    `Only these states; may be repeated. ${prefix} in front is optional.`,
    list({ type: "string", enum: names }),
  );

const jobStates = ["WAITING", "QUEUED", "RUNNING", "RETRYING", "SUCCEEDED", "FAILED", "CANCELLED"];
const itemStates = ["PENDING", "RUNNING", "SUCCEEDED", "FAILED"];

const annotateParameters = [
  query("index", "Index to search; unset: that of the model.", text),
  query("model", "Model; unset: that of the index, or the default one.", text),
  query("strategy", "How neighbours vote.", {
    type: "string",
    enum: ["summary-statistics", "ontology-aware"],
    default: "summary-statistics",
  }),
  query("neighbors", "Neighbours per cell; unset: the index's default.", {
    ...integer,
    minimum: 1,
    maximum: 10_000,
  }),
  query(
    "filter",
    "column=value, may be repeated: only reference cells with one of the values of each column.",
    list(text),
  ),
  query("prune_threshold", "Ontology aware: terms scoring less are left out.", {
    ...number,
    minimum: 0,
    maximum: 1,
    default: 0.05,
  }),
  query("weighting_prefactor", "Ontology aware: weight = exp(-prefactor · distance / median distance).", {
    ...number,
    minimum: 0,
    maximum: 1_000,
    default: 1,
  }),
  query("min_score", "Ontology aware: the best call is the deepest term that scores this much.", {
    ...number,
    minimum: 0,
    maximum: 1,
    default: 0.2,
  }),
];

const best = nullable({
  type: "object",
  properties: { cellType: text, cellTypeOntologyTermId: text, score: { ...number, minimum: 0, maximum: 1 } },
  required: ["cellType", "score"],
});

const annotated = record({
  origin: record({
    index: text,
    indexSha256: text,
    model: text,
    modelSha256: text,
    genes: record({ inModel: integer, inFile: integer, shared: integer, idsFrom: text }),
  }),
  strategy: text,
  cells: list({
    type: "object",
    properties: {
      cellId: text,
      best,
      matches: list({ type: "object", additionalProperties: true }),
      totalWeight: number,
      totalNeighbors: integer,
      totalNeighborsUnrecognized: integer,
    },
    required: ["cellId", "best", "matches"],
  }),
});

/** The mesh's own endpoints for people and scripts. */
export function v1Endpoints(message: (desc: DescMessage) => Schema): readonly Endpoint[] {
  const listing = (path: string, what: string, desc: DescMessage): Endpoint => ({
    method: "get",
    path,
    tag: "Catalog",
    summary: `List ${what}, newest first`,
    parameters: paging,
    answers: json("One page.", message(desc)),
    errors: [400],
  });
  const job = message(JobSchema);
  return [
    {
      method: "post",
      path: "/v1/annotate",
      tag: "Annotation",
      summary: "Annotate the cells of a file, with the best call of each and what the answer rests on",
      description:
        "matches hold cellType, cellCount and distances (summary statistics), or cellType, cellTypeOntologyTermId and score (ontology aware, with totals).",
      parameters: annotateParameters,
      body: form({}),
      answers: json("The annotations, in the order of the file.", annotated),
      errors: [400, 404, 413, 415, 422, 429],
    },
    {
      method: "get",
      path: "/v1/jobs",
      tag: "Jobs",
      summary: "List jobs, newest first",
      parameters: [
        ...paging,
        states("JOB_STATE_", jobStates),
        query("kind", "Only these kinds; may be repeated.", list(text)),
      ],
      answers: json("One page.", message(ListJobsResponseSchema)),
      errors: [400],
    },
    {
      method: "post",
      path: "/v1/jobs",
      tag: "Jobs",
      summary: "Create a job",
      parameters: [
        {
          name: "Idempotency-Key",
          in: "header",
          description: "The same key with the same spec returns the same job.",
          schema: { ...text, maxLength: 200 },
        },
        query("after", "Jobs that must succeed first; may be repeated.", list(text)),
        query("max_attempts", "Attempts at most.", { ...integer, minimum: 1, maximum: 100 }),
      ],
      body: { type: "application/json", required: true, schema: message(JobSpecSchema) },
      answers: {
        "201": { description: "Created.", schema: job },
        "200": { description: "The job that the key made before.", schema: job },
      },
      errors: [400, 404, 409, 415],
    },
    {
      method: "get",
      path: "/v1/jobs/{id}",
      tag: "Jobs",
      summary: "Get a job",
      answers: json("The job.", job),
      errors: [400, 404],
    },
    {
      method: "get",
      path: "/v1/jobs/{id}/items",
      tag: "Jobs",
      summary: "List the items of a job (files, bins)",
      parameters: [...paging, states("ITEM_STATE_", itemStates)],
      answers: json("One page.", message(ListJobItemsResponseSchema)),
      errors: [400, 404],
    },
    {
      method: "post",
      path: "/v1/jobs/{id}/cancel",
      tag: "Jobs",
      summary: "Ask a job to stop",
      answers: json("The job after the request.", job),
      errors: [400, 404],
    },
    {
      method: "get",
      path: "/v1/jobs/{id}/watch",
      tag: "Jobs",
      summary: "Follow a job",
      description:
        "Server-sent events: `job` (a job as in GET) now and after every change, `end` when it has ended, `error` (a problem) when the watch broke.",
      answers: { "200": { description: "The events.", type: "text/event-stream", schema: text } },
      errors: [400, 404],
    },
    listing("/v1/datasets", "datasets", ListDatasetsResponseSchema),
    listing("/v1/curricula", "curricula", ListCurriculaResponseSchema),
    listing("/v1/models", "models", ListModelsResponseSchema),
    listing("/v1/indexes", "indexes", ListIndexesResponseSchema),
    {
      method: "get",
      path: "/v1/lineage/{kind}/{name}",
      tag: "Catalog",
      summary: "All that an index, embedding, model, curriculum or ingest rests on",
      answers: json("The resource first, then its parents, each once.", message(GetLineageResponseSchema)),
      errors: [400, 404],
    },
  ];
}

const plain = (description: string): Endpoint["answers"] => ({
  "200": { description, type: "text/plain", schema: text },
});
const htmlPage = (description: string): Endpoint["answers"] => ({
  "200": { description, type: "text/html", schema: text },
});

/** Pages and probes. */
export const otherEndpoints: readonly Endpoint[] = [
  {
    method: "get",
    path: "/",
    tag: "Documentation",
    summary: "A page for people: mesh, jobs, datasets, models, indexes",
    description: "Browsers may give a token as the password of HTTP Basic here.",
    answers: htmlPage("The page."),
  },
  {
    method: "get",
    path: "/docs",
    tag: "Documentation",
    summary: "This document for people",
    open: true,
    answers: htmlPage("The page."),
  },
  {
    method: "get",
    path: "/openapi.json",
    tag: "Documentation",
    summary: "This document",
    open: true,
    answers: json("OpenAPI 3.1.", { type: "object", additionalProperties: true }),
  },
  {
    method: "get",
    path: "/livez",
    tag: "Operation",
    summary: "The process lives",
    open: true,
    answers: plain("It does."),
  },
  {
    method: "get",
    path: "/readyz",
    tag: "Operation",
    summary: "The process can serve",
    open: true,
    answers: {
      ...plain("It can."),
      "503": { description: "It cannot, with the reason.", type: "text/plain", schema: text },
    },
  },
  {
    method: "get",
    path: "/metrics",
    tag: "Operation",
    summary: "Prometheus metrics",
    open: true,
    answers: plain("The metrics."),
  },
];
