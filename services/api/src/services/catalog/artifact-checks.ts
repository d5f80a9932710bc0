import {
  type Curriculum,
  CurriculumState,
  type Embedding,
  type Index,
  type Model,
  type Ontology,
} from "@cytomesh/contracts/catalog/v1/resources";
import type { ArtifactMessages, CatalogReads } from "../../data-manager/catalog-store.ts";
import { notFound } from "../../errors.ts";
import type { ArtifactKind } from "../../schemas/catalog.ts";
import type { Checks } from "../../schemas/checks.ts";

const MAX_TEXT = 4_096;
const MAX_NAME = 256;
const MAX_COUNT = 2n ** 53n;
const INT32 = 2 ** 31 - 1;
const MAX_DIMENSION = 65_536;

function checkCurriculum(checks: Checks, it: Curriculum): void {
  checks.dataset("curriculum.dataset", it.dataset);
  checks.known("curriculum.state", it.state, CurriculumState);
  checks.name("curriculum.feature_schema", it.featureSchema);
  checks.uri("curriculum.uri", it.uri);
  if (it.manifestSha256 !== "") checks.sha256("curriculum.manifest_sha256", it.manifestSha256);
  checks.range("curriculum.cells", it.cells, 0n, MAX_COUNT);
  checks.range("curriculum.bins", it.bins, 0, INT32);
  checks.range("curriculum.last_bin_cells", it.lastBinCells, 0, INT32);
  checks.range("curriculum.bin_size", it.binSize, 1, INT32);
  checks.distinct("curriculum.obs_columns", it.obsColumns, 10_000, MAX_NAME);
  checks.distinct("curriculum.bin_keys", it.binKeys, 10_000, MAX_NAME);
  checks.distinct("curriculum.ingest_ids", it.ingestIds, 1_000_000, MAX_NAME);
}

function checkModel(checks: Checks, it: Model): void {
  checks.text("model.kind", it.kind, MAX_NAME);
  checks.uri("model.uri", it.uri);
  checks.sha256("model.sha256", it.sha256);
  checks.name("model.feature_schema", it.featureSchema);
  checks.range("model.dimension", it.dimension, 1, MAX_DIMENSION);
  checks.optionalName("model.curriculum", it.curriculum);
  checks.optionalText("model.description", it.description, MAX_TEXT);
}

function checkEmbedding(checks: Checks, it: Embedding): void {
  checks.name("embedding.model", it.model);
  checks.name("embedding.curriculum", it.curriculum);
  checks.uri("embedding.uri", it.uri);
  checks.sha256("embedding.manifest_sha256", it.manifestSha256);
  checks.range("embedding.cells", it.cells, 0n, MAX_COUNT);
  checks.range("embedding.dimension", it.dimension, 1, MAX_DIMENSION);
}

function checkIndex(checks: Checks, it: Index): void {
  checks.name("index.embedding", it.embedding);
  checks.name("index.model", it.model);
  checks.uri("index.uri", it.uri);
  checks.sha256("index.manifest_sha256", it.manifestSha256);
  for (const [field, value, allowed] of [
    ["kind", it.kind, ["exact", "hnsw"]],
    ["metric", it.metric, ["cosine", "l2", "dot_product"]],
  ] as const) {
    if (!(allowed as readonly string[]).includes(value))
      checks.add(
        `index.${field}`,
        `expected ${allowed.join(", ")}, found ${JSON.stringify(value.slice(0, 80))}`,
      );
  }
  checks.range("index.cells", it.cells, 0n, MAX_COUNT);
  checks.range("index.dimension", it.dimension, 1, MAX_DIMENSION);
  checks.distinct("index.metadata_columns", it.metadataColumns, 10_000, MAX_NAME);
  checks.optionalName("index.ontology", it.ontology);
  checks.range("index.default_neighbors", it.defaultNeighbors, 0, 10_000);
}

function checkOntology(checks: Checks, it: Ontology): void {
  checks.uri("ontology.uri", it.uri);
  checks.sha256("ontology.sha256", it.sha256);
  checks.range("ontology.terms", it.terms, 0, INT32);
  checks.text("ontology.column_name", it.columnName, MAX_NAME);
  checks.optionalText("ontology.description", it.description, MAX_TEXT);
}

const CHECKS: { [K in ArtifactKind]: (checks: Checks, message: ArtifactMessages[K]) => void } = {
  curriculum: checkCurriculum,
  model: checkModel,
  embedding: checkEmbedding,
  index: checkIndex,
  ontology: checkOntology,
};

/** Looks at every field of an artifact. */
export function checkArtifact<K extends ArtifactKind>(
  checks: Checks,
  kind: K,
  message: ArtifactMessages[K],
): void {
  checks.name(`${kind}.name`, message.name);
  if ("jobId" in message) checks.optionalText(`${kind}.job_id`, message.jobId, MAX_NAME);
  CHECKS[kind](checks, message);
}

/** Finds everything an artifact names; throws `not_found` for the first missing part. What does not fit together is added to `checks`. */
export async function checkParts<K extends ArtifactKind>(
  checks: Checks,
  db: CatalogReads,
  kind: K,
  message: ArtifactMessages[K],
): Promise<void> {
  const need = async <T>(what: string, name: string, found: Promise<T | undefined>): Promise<T> => {
    const part = await found;
    if (part === undefined || part === false) throw notFound(what, name);
    return part;
  };
  const needSchema = (name: string) => need("feature schema", name, db.featureSchemaExists(name));
  if (kind === "curriculum") {
    const it = message as Curriculum;
    await need("dataset", it.dataset, db.dataset(it.dataset));
    await needSchema(it.featureSchema);
    const found = new Set((await db.ingestsById(it.ingestIds)).map((ingest) => ingest.id));
    for (const id of it.ingestIds) if (!found.has(id)) throw notFound("ingest", id);
  } else if (kind === "model") {
    const it = message as Model;
    await needSchema(it.featureSchema);
    if (it.curriculum !== "")
      await need("curriculum", it.curriculum, db.artifact("curriculum", it.curriculum));
  } else if (kind === "embedding") {
    const it = message as Embedding;
    const model = await need("model", it.model, db.artifact("model", it.model));
    await need("curriculum", it.curriculum, db.artifact("curriculum", it.curriculum));
    if (model.dimension !== it.dimension)
      checks.add(
        "embedding.dimension",
        `expected ${model.dimension} as model ${it.model} has, found ${it.dimension}`,
      );
  } else if (kind === "index") {
    const it = message as Index;
    const embedding = await need("embedding", it.embedding, db.artifact("embedding", it.embedding));
    await need("model", it.model, db.artifact("model", it.model));
    if (it.ontology !== "") await need("ontology", it.ontology, db.artifact("ontology", it.ontology));
    if (embedding.model !== it.model)
      checks.add(
        "index.model",
        `expected ${embedding.model} as embedding ${it.embedding} has, found ${it.model}`,
      );
    if (embedding.dimension !== it.dimension)
      checks.add(
        "index.dimension",
        `expected ${embedding.dimension} as its embedding has, found ${it.dimension}`,
      );
  }
}
