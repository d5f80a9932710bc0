import type { JsonObject } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import {
  BuildIndexSpecSchema,
  DistanceMetric,
  EmbedSpecSchema,
  ExtractSpecSchema,
  FeatureDerivation,
  type IngestedFile,
  IngestedFile_Outcome,
  IngestSpecSchema,
  MatrixSource,
  PrepareSpecSchema,
  TrainPcaSpecSchema,
} from "@cytomesh/contracts/jobs/v1/specs";
import { joinUri, toUri } from "@cytomesh/object-store";
import { choiceOption, defineCommand, integerOption, jobOptions, needs, pairsOption } from "../command.ts";
import { CliError } from "../errors.ts";
import { readRequestFile } from "../request-file.ts";
import { formatCount, nameOf, printable, table } from "../terminal/text.ts";
import { submit } from "./submit.ts";
import { validationOptions } from "./validation-options.ts";

const integer32 = { min: 1, max: 2 ** 31 - 1 };

export const ingest = defineCommand({
  name: "ingest",
  usage: "ingest FILE… --dataset NAME",
  positionals: Number.POSITIVE_INFINITY,
  options: {
    ...jobOptions,
    dataset: { type: "string", value: "NAME", help: "dataset, made when there is none" },
    map: {
      type: "string",
      multiple: true,
      value: "FROM=TO",
      help: "rename an obs column; FROM `index` is the obs index",
    },
    "feature-ids": {
      type: "string",
      value: "COLUMN",
      help: "var column of the feature ids; default: found by looking",
    },
    matrix: { type: "string", value: "WHERE", help: "auto (the default), x, raw-x, or layer:NAME" },
    "allow-non-counts": { type: "boolean", help: "take matrices that are not raw counts" },
    "validate-only": { type: "boolean", help: "look at the files, write nothing" },
    ...validationOptions,
    "all-feature-types": { type: "boolean", help: "take antibodies, guides and peaks beside the genes" },
    tag: { type: "string", value: "TEXT", help: "kept with the ingests" },
  },
  async run({ options, positionals, signal }) {
    const spec =
      options.config === undefined
        ? create(IngestSpecSchema)
        : await readRequestFile(IngestSpecSchema, options.config);
    if (positionals.length > 0) spec.uris = positionals.map(toUri);
    if (options.dataset !== undefined) spec.dataset = options.dataset;
    Object.assign(spec.obsMapping, pairsOption("map", options.map));
    if (options["feature-ids"] !== undefined) spec.featureIdColumn = options["feature-ids"];
    if (options.matrix?.startsWith("layer:")) {
      spec.matrix = MatrixSource.LAYER;
      spec.layer = options.matrix.slice("layer:".length);
    } else
      spec.matrix =
        choiceOption("matrix", options.matrix, {
          auto: MatrixSource.AUTO,
          x: MatrixSource.X,
          "raw-x": MatrixSource.RAW_X,
        }) ?? spec.matrix;
    spec.allowNonCounts ||= options["allow-non-counts"];
    spec.validateOnly ||= options["validate-only"];
    if (options.tag !== undefined) spec.tag = options.tag;
    if (options.profile !== undefined) spec.profile = options.profile;
    spec.geneListUris.push(...(options["gene-list"] ?? []).map(toUri));
    spec.allFeatureTypes ||= options["all-feature-types"];
    needs({ "files: FILE…": spec.uris.length, "--dataset NAME": spec.dataset });
    await submit(options, "ingest", { case: "ingest", value: spec }, signal, async (result) =>
      result.case === "ingest" ? ingestedFiles(result.value.files) : [],
    );
  },
});

/** What became of each file, and what a person should look at although it kept nothing out. */
function ingestedFiles(files: readonly IngestedFile[]): string[] {
  const rows = files.map((file) => [
    nameOf(IngestedFile_Outcome, file.outcome).replace("_", " "),
    formatCount(file.cells),
    formatCount(file.features),
    file.ingestId,
    printable(file.uri),
  ]);
  return [
    ...table(["outcome", "cells", "genes", "ingest", "file"], rows).split("\n"),
    ...files.flatMap(({ uri, warnings }) => warnings.map((warning) => `! ${uri}: ${warning}`)),
  ];
}

export const prepare = defineCommand({
  name: "prepare",
  usage: "prepare NAME --dataset NAME",
  positionals: 1,
  options: {
    ...jobOptions,
    dataset: { type: "string", value: "NAME", help: "dataset to take the cells from" },
    filters: {
      type: "string",
      value: "JSON",
      help: '{"column__op": value}; ops eq not_eq in not_in gt gte lt lte',
    },
    "feature-schema": { type: "string", value: "NAME", help: "registered feature schema; default: derived" },
    features: { type: "string", value: "HOW", help: "derive from the ingests: union or intersection" },
    "bin-size": { type: "string", value: "CELLS", help: "cells per bin (10000)" },
    "bin-key": {
      type: "string",
      multiple: true,
      value: "COLUMN",
      help: "obs column whose values do not mix in a bin",
    },
    seed: { type: "string", value: "N", help: "seed of the ranking (0)" },
    obs: {
      type: "string",
      multiple: true,
      value: "COLUMN",
      help: "obs column to carry; default: all that every ingest has",
    },
  },
  async run({ options, positionals, signal }) {
    const spec =
      options.config === undefined
        ? create(PrepareSpecSchema)
        : await readRequestFile(PrepareSpecSchema, options.config);
    if (positionals[0] !== undefined) spec.curriculum = positionals[0];
    if (options.dataset !== undefined) spec.dataset = options.dataset;
    if (options.filters !== undefined) spec.filters = jsonOption("filters", options.filters);
    if (options["feature-schema"] !== undefined) spec.featureSchema = options["feature-schema"];
    spec.deriveFeatures =
      choiceOption("features", options.features, {
        union: FeatureDerivation.UNION,
        intersection: FeatureDerivation.INTERSECTION,
      }) ?? spec.deriveFeatures;
    spec.binSize = integerOption("bin-size", options["bin-size"], integer32) ?? spec.binSize;
    if (options["bin-key"].length > 0) spec.binKeys = options["bin-key"];
    const seed = integerOption("seed", options.seed, {
      min: Number.MIN_SAFE_INTEGER,
      max: Number.MAX_SAFE_INTEGER,
    });
    if (seed !== undefined) spec.seed = BigInt(seed);
    if (options.obs.length > 0) spec.obsColumns = options.obs;
    needs({ NAME: spec.curriculum, "--dataset NAME": spec.dataset });
    await submit(options, "prepare", { case: "prepare", value: spec }, signal);
  },
});

function jsonOption(name: string, text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // Said below, together with the other wrong kinds of JSON.
  }
  throw new CliError("usage", `--${name} expects a JSON object, found ${text}`);
}

export const extract = defineCommand({
  name: "extract",
  usage: "extract NAME [--bin N]…",
  positionals: 1,
  options: { ...jobOptions, bin: { type: "string", multiple: true, value: "N", help: "only this bin" } },
  async run({ options, positionals, signal }) {
    const spec =
      options.config === undefined
        ? create(ExtractSpecSchema)
        : await readRequestFile(ExtractSpecSchema, options.config);
    if (positionals[0] !== undefined) spec.curriculum = positionals[0];
    if (options.bin.length > 0)
      spec.bins = options.bin.map(
        (text) => integerOption("bin", text, { min: 0, max: 2 ** 31 - 1 }) as number,
      );
    needs({ NAME: spec.curriculum });
    await submit(options, "extract", { case: "extract", value: spec }, signal, async (_, mesh) => {
      const { curriculum } = await mesh.catalog.getCurriculum({ name: spec.curriculum });
      return curriculum === undefined ? [] : [`bins  ${joinUri(curriculum.uri, "bins")}/`];
    });
  },
});

export const train = defineCommand({
  name: "train",
  usage: "train MODEL --curriculum NAME",
  positionals: 1,
  options: {
    ...jobOptions,
    curriculum: { type: "string", value: "NAME", help: "extracted curriculum" },
    components: { type: "string", value: "N", help: "components to keep (50)" },
    "top-genes": { type: "string", value: "N", help: "highly variable genes to fit on (2000)" },
    scale: { type: "boolean", help: "scale each gene to unit variance" },
    description: { type: "string", value: "TEXT", help: "readable description" },
  },
  async run({ options, positionals, signal }) {
    const spec =
      options.config === undefined
        ? create(TrainPcaSpecSchema)
        : await readRequestFile(TrainPcaSpecSchema, options.config);
    if (positionals[0] !== undefined) spec.model = positionals[0];
    if (options.curriculum !== undefined) spec.curriculum = options.curriculum;
    spec.nComponents = integerOption("components", options.components, integer32) ?? spec.nComponents;
    spec.nTopGenes = integerOption("top-genes", options["top-genes"], integer32) ?? spec.nTopGenes;
    spec.scale ||= options.scale;
    if (options.description !== undefined) spec.description = options.description;
    needs({ MODEL: spec.model, "--curriculum NAME": spec.curriculum });
    await submit(options, "train", { case: "trainPca", value: spec }, signal);
  },
});

export const embed = defineCommand({
  name: "embed",
  usage: "embed --model NAME --curriculum NAME [--name EMBEDDING]",
  positionals: 0,
  options: {
    ...jobOptions,
    model: { type: "string", value: "NAME", help: "registered model" },
    curriculum: { type: "string", value: "NAME", help: "extracted curriculum" },
    name: { type: "string", value: "NAME", help: "name of the embedding (MODEL.CURRICULUM)" },
  },
  async run({ options, signal }) {
    const spec =
      options.config === undefined
        ? create(EmbedSpecSchema)
        : await readRequestFile(EmbedSpecSchema, options.config);
    if (options.model !== undefined) spec.model = options.model;
    if (options.curriculum !== undefined) spec.curriculum = options.curriculum;
    if (options.name !== undefined) spec.embedding = options.name;
    needs({ "--model NAME": spec.model, "--curriculum NAME": spec.curriculum });
    await submit(options, "embed", { case: "embed", value: spec }, signal);
  },
});

export const index = defineCommand({
  name: "index",
  usage: "index NAME --embedding NAME",
  positionals: 1,
  options: {
    ...jobOptions,
    embedding: { type: "string", value: "NAME", help: "registered embedding" },
    metric: { type: "string", value: "METRIC", help: "cosine (the default), l2 or dot_product" },
    column: {
      type: "string",
      multiple: true,
      value: "COLUMN",
      help: "obs column to carry, beside the cell types",
    },
    ontology: { type: "string", value: "NAME", help: "registered ontology, for the ontology-aware strategy" },
    neighbors: { type: "string", value: "N", help: "neighbours per query by default (100)" },
    "make-default": { type: "boolean", help: "serve annotation requests that name no model" },
  },
  async run({ options, positionals, signal }) {
    const spec =
      options.config === undefined
        ? create(BuildIndexSpecSchema)
        : await readRequestFile(BuildIndexSpecSchema, options.config);
    if (positionals[0] !== undefined) spec.index = positionals[0];
    if (options.embedding !== undefined) spec.embedding = options.embedding;
    spec.metric =
      choiceOption("metric", options.metric, {
        cosine: DistanceMetric.COSINE,
        l2: DistanceMetric.L2,
        dot_product: DistanceMetric.DOT_PRODUCT,
      }) ?? spec.metric;
    if (options.column.length > 0) spec.metadataColumns = options.column;
    if (options.ontology !== undefined) spec.ontology = options.ontology;
    spec.defaultNeighbors =
      integerOption("neighbors", options.neighbors, { min: 1, max: 10_000 }) ?? spec.defaultNeighbors;
    spec.makeDefault ||= options["make-default"];
    needs({ NAME: spec.index, "--embedding NAME": spec.embedding });
    await submit(options, "index", { case: "buildIndex", value: spec }, signal);
  },
});
