import { toJson } from "@bufbuild/protobuf";
import {
  type AnalysisSpec,
  type BuildIndexSpec,
  DistanceMetric,
  type EmbedSpec,
  type ExtractSpec,
  FeatureDerivation,
  type IngestSpec,
  type JobSpec,
  JobSpecSchema,
  MatrixSource,
  type PrepareSpec,
  type TrainPcaSpec,
} from "@cytomesh/contracts/jobs/v1/specs";
import type { Checks } from "../../schemas/checks.ts";
import { checkFilters } from "./filter-checks.ts";
import { checkConvertFields, checkFormatMetadata, checkStage } from "./imaging-spec-checks.ts";

const MAX_URIS = 100_000;
const MAX_COLUMNS = 1_000;
const MAX_BINS = 1_000_000;
const MAX_NAME = 256;
const MAX_TEXT = 4_096;
const MAX_URI = 4_096;
const MAX_SPEC_BYTES = 16 * 1024 * 1024;
const TASKS = ["ListGenes", "GeneExpression", "GetEmbedding"];

/** Looks at every field of a spec. Fields are named `spec.<kind>.<field>`. */
export function checkSpec(checks: Checks, spec: JobSpec | undefined): void {
  const chosen = spec?.spec;
  switch (chosen?.case) {
    case "ingest":
      checkIngest(checks, chosen.value);
      break;
    case "prepare":
      checkPrepare(checks, chosen.value);
      break;
    case "extract":
      checkExtract(checks, chosen.value);
      break;
    case "trainPca":
      checkTrainPca(checks, chosen.value);
      break;
    case "embed":
      checkEmbed(checks, chosen.value);
      break;
    case "buildIndex":
      checkBuildIndex(checks, chosen.value);
      break;
    case "convertFields":
      checkConvertFields(checks, chosen.value);
      break;
    case "stage":
      checkStage(checks, chosen.value);
      break;
    case "formatMetadata":
      checkFormatMetadata(checks, chosen.value);
      break;
    case "analysis":
      checkAnalysis(checks, chosen.value);
      break;
    default:
      checks.add("spec", "expected exactly one kind of work, found none");
  }
}

/** What only shows when the whole spec is written as JSON: its size, and numbers JSON does not have. */
export function checkStorable(checks: Checks, spec: JobSpec): void {
  try {
    const { length } = JSON.stringify(toJson(JobSpecSchema, spec));
    if (length > MAX_SPEC_BYTES)
      checks.add("spec", `expected at most ${MAX_SPEC_BYTES} bytes of JSON, found ${length}`);
  } catch (error) {
    checks.add(
      "spec",
      `cannot be written as JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function checkUris(checks: Checks, field: string, uris: readonly string[]): void {
  if (uris.length === 0) checks.add(field, "expected at least one URI, found none");
  checks.distinct(field, uris, MAX_URIS, MAX_URI);
  for (const [i, uri] of uris.slice(0, MAX_URIS).entries()) if (uri !== "") checks.uri(`${field}[${i}]`, uri);
}

function checkIngest(checks: Checks, spec: IngestSpec): void {
  checks.dataset("spec.ingest.dataset", spec.dataset);
  checkUris(checks, "spec.ingest.uris", spec.uris);
  const targets = new Map<string, string>();
  for (const [from, to] of Object.entries(spec.obsMapping)) {
    const field = `spec.ingest.obs_mapping[${JSON.stringify(from)}]`;
    checks.text(field, to, MAX_NAME);
    if (from === "") checks.add(field, "expected the name of a column of the file, found nothing");
    checks.optionalText(field, from, MAX_NAME);
    const other = targets.get(to);
    if (other !== undefined)
      checks.add(field, `${JSON.stringify(other)} is renamed to ${JSON.stringify(to)} too`);
    targets.set(to, from);
  }
  checks.optionalText("spec.ingest.feature_id_column", spec.featureIdColumn, MAX_NAME);
  checks.known("spec.ingest.matrix", spec.matrix, MatrixSource);
  checks.optionalText("spec.ingest.layer", spec.layer, MAX_NAME);
  const byLayer = spec.matrix === MatrixSource.LAYER;
  if (byLayer && spec.layer === "")
    checks.add("spec.ingest.layer", "MATRIX_SOURCE_LAYER needs the name of a layer");
  if (!byLayer && spec.layer !== "") checks.add("spec.ingest.layer", "is only read with MATRIX_SOURCE_LAYER");
  checks.optionalText("spec.ingest.tag", spec.tag, MAX_NAME);
  checks.optionalText("spec.ingest.profile", spec.profile, MAX_NAME);
  if (spec.geneListUris.length > 0) checkUris(checks, "spec.ingest.gene_list_uris", spec.geneListUris);
}

function checkPrepare(checks: Checks, spec: PrepareSpec): void {
  checks.name("spec.prepare.curriculum", spec.curriculum);
  checks.dataset("spec.prepare.dataset", spec.dataset);
  if (spec.filters) checkFilters(checks, "spec.prepare.filters", spec.filters);
  checks.optionalName("spec.prepare.feature_schema", spec.featureSchema);
  checks.known("spec.prepare.derive_features", spec.deriveFeatures, FeatureDerivation);
  if (spec.binSize !== 0) checks.range("spec.prepare.bin_size", spec.binSize, 1, 1_000_000);
  checks.distinct("spec.prepare.bin_keys", spec.binKeys, MAX_COLUMNS, MAX_NAME);
  checks.distinct("spec.prepare.obs_columns", spec.obsColumns, MAX_COLUMNS, MAX_NAME);
}

function checkExtract(checks: Checks, spec: ExtractSpec): void {
  checks.name("spec.extract.curriculum", spec.curriculum);
  if (spec.bins.length > MAX_BINS) checks.add("spec.extract.bins", `expected at most ${MAX_BINS} bins`);
  const seen = new Set<number>();
  for (const [i, bin] of spec.bins.slice(0, MAX_BINS).entries()) {
    checks.range(`spec.extract.bins[${i}]`, bin, 0, MAX_BINS);
    if (seen.has(bin)) checks.add(`spec.extract.bins[${i}]`, `bin ${bin} is listed twice`);
    seen.add(bin);
  }
}

function checkTrainPca(checks: Checks, spec: TrainPcaSpec): void {
  checks.name("spec.train_pca.curriculum", spec.curriculum);
  checks.name("spec.train_pca.model", spec.model);
  const components = spec.nComponents || 50;
  const genes = spec.nTopGenes || 2_000;
  checks.range("spec.train_pca.n_components", components, 1, 10_000);
  checks.range("spec.train_pca.n_top_genes", genes, 1, 100_000);
  if (components > genes)
    checks.add(
      "spec.train_pca.n_components",
      `cannot exceed the ${genes} genes of n_top_genes, found ${components}`,
    );
  if (spec.targetSum !== 0) checks.range("spec.train_pca.target_sum", spec.targetSum, 1e-6, 1e12);
  checks.optionalText("spec.train_pca.description", spec.description, MAX_TEXT);
}

function checkEmbed(checks: Checks, spec: EmbedSpec): void {
  checks.name("spec.embed.model", spec.model);
  checks.name("spec.embed.curriculum", spec.curriculum);
  checks.name("spec.embed.embedding", spec.embedding || `${spec.model}.${spec.curriculum}`);
}

function checkBuildIndex(checks: Checks, spec: BuildIndexSpec): void {
  checks.name("spec.build_index.embedding", spec.embedding);
  checks.name("spec.build_index.index", spec.index);
  checks.known("spec.build_index.metric", spec.metric, DistanceMetric);
  checks.distinct("spec.build_index.metadata_columns", spec.metadataColumns, MAX_COLUMNS, MAX_NAME);
  checks.optionalName("spec.build_index.ontology", spec.ontology);
  checks.range("spec.build_index.default_neighbors", spec.defaultNeighbors, 0, 10_000);
}

function checkAnalysis(checks: Checks, spec: AnalysisSpec): void {
  checks.uri("spec.analysis.uri", spec.uri);
  if (!TASKS.includes(spec.task))
    checks.add(
      "spec.analysis.task",
      `expected one of ${TASKS.join(", ")}, found ${JSON.stringify(spec.task.slice(0, 80))}`,
    );
  if (spec.outputUri !== "") checks.uri("spec.analysis.output_uri", spec.outputUri);
  const text = spec.parameters && JSON.stringify(spec.parameters);
  if (text?.includes("\\u0000") || text?.includes("\\ud"))
    checks.add("spec.analysis.parameters", "expected Unicode text without NUL characters");
}
