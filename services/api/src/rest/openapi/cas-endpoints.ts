import { cellFields } from "../cas/query-cells.ts";
import {
  boolean,
  type Endpoint,
  form,
  integer,
  json,
  list,
  nullable,
  number,
  record,
  text,
} from "./operations.ts";

const tag = "Annotation (CAS)";
const general = "/api/cellarium-general";
const operations = "/api/cellarium-cell-operations";

const user = record({ username: text, email: text, should_ask_for_feedback: boolean });

const summaryMatch = record({
  cell_type: text,
  cell_count: integer,
  min_distance: number,
  p25_distance: number,
  median_distance: number,
  p75_distance: number,
  max_distance: number,
});

const cell = record(
  Object.fromEntries(
    cellFields.map((name) => [
      name,
      name === "is_primary_data"
        ? boolean
        : name === "cas_cell_index" || name === "total_mrna_umis"
          ? integer
          : text,
    ]),
  ),
);

const fileNote =
  "Read from the file: X (CSR, CSC or dense), the obs index, obs/total_mrna_umis when there is one, and the gene ids (the var index, or the var column that has most ids in common with the model). Nothing else is looked at, and nothing is kept.";

const modelName = { model_name: { ...text, description: "A model of list-models." } };
const uploadErrors = [400, 413, 415, 422];

/** The API of Cellarium CAS 1.8, as its client uses it. */
export const casEndpoints: readonly Endpoint[] = [
  {
    method: "get",
    path: `${general}/validate-token`,
    tag,
    summary: "Who the token belongs to",
    answers: json("The user.", user),
  },
  {
    method: "post",
    path: `${general}/validate-client-version`,
    tag,
    summary: "Whether a client is new enough",
    open: true,
    body: {
      type: "application/json",
      required: true,
      schema: record({ client_version: { ...text, description: "A PEP 440 version." } }),
    },
    answers: json("The verdict.", record({ is_valid: boolean, min_version: text })),
    errors: [400, 422],
  },
  {
    method: "get",
    path: `${general}/application-info`,
    tag,
    summary: "Version of the mesh, gene schema of the default model",
    open: true,
    answers: json(
      "About the application.",
      record({ application_version: text, default_feature_schema: text }),
    ),
  },
  {
    method: "get",
    path: `${general}/list-models`,
    tag,
    summary: "Models that have an index; exactly one is the default when there is any",
    answers: json(
      "The models.",
      list(
        record({
          model_name: text,
          description: text,
          schema_name: text,
          is_default_model: boolean,
          embedding_dimension: integer,
          ontological_columns: list(
            record({ ontology_resource_name: text, column_name: text, description: text }),
          ),
        }),
      ),
    ),
  },
  {
    method: "get",
    path: `${general}/feature-schemas`,
    tag,
    summary: "Names of the gene schemas",
    answers: json("The schemas.", list(record({ schema_name: text }))),
  },
  {
    method: "get",
    path: `${general}/feature-schema/{name}`,
    tag,
    summary: "Gene ids of a schema, in the order of the model",
    answers: json("The ids.", list(text)),
    errors: [404],
  },
  {
    method: "get",
    path: `${general}/cell-ontology-resource/{name}`,
    tag,
    summary: "An ontology resource",
    parameters: [
      { name: "If-None-Match", in: "header", description: "Entity tag of the copy at hand.", schema: text },
    ],
    answers: {
      ...json(
        "The resource, with an ETag.",
        record({
          cl_names: list(text),
          cell_ontology_term_id_to_cell_type: { type: "object", additionalProperties: text },
          children_dictionary: { type: "object", additionalProperties: list(text) },
          shortest_path_lengths_from_cell_root: { type: "object", additionalProperties: integer },
          longest_path_lengths_from_cell_root: { type: "object", additionalProperties: integer },
        }),
      ),
      "304": { description: "The copy at hand is current." },
    },
    errors: [404],
  },
  {
    method: "get",
    path: `${general}/quota`,
    tag,
    summary: "The quota: there is none",
    description:
      "Without user accounts nothing is limited. Clients need numbers in the weekly fields: they hold the largest exact integer, and a date that never comes.",
    answers: json(
      "The quota.",
      record({
        user_id: integer,
        weekly_quota: integer,
        remaining_weekly_quota: integer,
        quota_reset_date: text,
        lifetime_quota: nullable(integer),
        remaining_lifetime_quota: nullable(integer),
        quota_increased: boolean,
      }),
    ),
  },
  {
    method: "post",
    path: `${general}/feedback/opt-out`,
    tag,
    summary: "Opt out of feedback, which nobody is asked for",
    answers: json("The user.", user),
  },
  {
    method: "post",
    path: `${operations}/annotate-cell-type-summary-statistics-strategy`,
    tag,
    summary: "Annotate cells by grouping their nearest reference cells by label",
    description: fileNote,
    body: form({ ...modelName, include_extended_output: { ...text, description: "Accepted and ignored." } }, [
      "model_name",
    ]),
    answers: json(
      "One entry per cell, in the order of the file.",
      list(record({ query_cell_id: text, matches: list(summaryMatch) })),
    ),
    errors: uploadErrors,
  },
  {
    method: "post",
    path: `${operations}/annotate-cell-type-ontology-aware-strategy`,
    tag,
    summary:
      "Annotate cells by weighing the terms of their nearest reference cells and the ancestors of these terms",
    description: fileNote,
    body: form(
      {
        ...modelName,
        prune_threshold: {
          ...number,
          default: 0.05,
          description: "Terms scoring less are left out; 0 returns all.",
        },
        weighting_prefactor: { ...number, default: 1 },
        ontology_column_name: { ...text, default: "cell_type" },
      },
      ["model_name"],
    ),
    answers: json(
      "One entry per cell, in the order of the file.",
      list(
        record({
          query_cell_id: text,
          matches: list(record({ score: number, cell_type_ontology_term_id: text, cell_type: text })),
          total_weight: number,
          total_neighbors: integer,
          total_neighbors_unrecognized: integer,
        }),
      ),
    ),
    errors: uploadErrors,
  },
  {
    method: "post",
    path: `${operations}/nearest-neighbor-search`,
    tag,
    summary: "Find the nearest reference cells",
    description: fileNote,
    body: form(modelName, ["model_name"]),
    answers: json(
      "One entry per cell, in the order of the file; neighbours nearest first.",
      list(
        record({
          query_cell_id: text,
          neighbors: list(record({ cas_cell_index: integer, distance: number })),
        }),
      ),
    ),
    errors: uploadErrors,
  },
  {
    method: "post",
    path: `${operations}/query-cells-by-ids`,
    tag,
    summary: "Metadata of reference cells of the default model's index",
    description:
      'All fields are always there: what the warehouse does not know is "", false or 0. Unknown ids are left out.',
    body: {
      type: "application/json",
      required: true,
      schema: {
        type: "object",
        properties: {
          cas_cell_ids: { ...list({ ...integer, minimum: 0 }), maxItems: 20_000 },
          metadata_feature_names: nullable(list({ type: "string", enum: cellFields })),
        },
        required: ["cas_cell_ids"],
      },
    },
    answers: json("The cells, in the order asked.", list(cell)),
    errors: [400, 422],
  },
];
