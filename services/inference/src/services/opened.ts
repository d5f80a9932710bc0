import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createOnnxRunner, MODEL_KEYS, type OnnxRunner } from "@cytomesh/kernels";
import { compileOntology, type Ontology, validateResource } from "@cytomesh/ontology";
import { openIndex, type VectorIndex } from "@cytomesh/vector-index";
import { InferenceError } from "../errors.ts";
import type { LocalResource } from "../schemas/resources.ts";
import { createLru } from "./lru.ts";

/** A model as a thread keeps it. */
export interface OpenModel {
  readonly runner: OnnxRunner;
  /** Genes in the order of the model's input. */
  readonly geneIds: readonly string[];
  /** Position of a gene in the input. */
  readonly columnOf: ReadonlyMap<string, number>;
}

// One of each per thread: native sessions and graphs cannot be shared between threads.
const models = createLru<OpenModel>((model) => model.runner.close());
const indexes = createLru<VectorIndex>((index) => index.close());
const ontologies = createLru<Ontology>(async () => undefined);

/**
 * The model, opened in this thread on first use and kept by its checksum.
 *
 * @throws InferenceError `damaged-file`, `model-without-genes`; KernelError `invalid_model`
 */
export function openModel(resource: LocalResource, cached: number): Promise<OpenModel> {
  return models.get(resource.sha256, cached, async () => {
    const bytes = await readChecked(resource, resource.path);
    const runner = await createOnnxRunner(bytes);
    try {
      const geneIds = geneIdsOf(resource.name, runner);
      return { runner, geneIds, columnOf: new Map(geneIds.map((id, column) => [id, column])) };
    } catch (error) {
      await runner.close();
      throw error;
    }
  });
}

/**
 * The index, opened in this thread on first use and kept by the checksum of its manifest, which holds those of its files.
 *
 * @throws InferenceError `damaged-file`; VectorIndexError
 */
export function openSearch(
  resource: LocalResource,
  cached: number,
  signal: AbortSignal,
): Promise<VectorIndex> {
  return indexes.get(resource.sha256, cached, async () => {
    await readChecked(resource, join(resource.path, "manifest.json"));
    return openIndex(resource.path, { signal });
  });
}

/**
 * The ontology, compiled in this thread on first use and kept by its checksum.
 *
 * @throws InferenceError `damaged-file`; OntologyError
 */
export function openOntology(resource: LocalResource, cached: number): Promise<Ontology> {
  return ontologies.get(resource.sha256, cached, async () => {
    const bytes = await readChecked(resource, resource.path);
    return compileOntology(validateResource(JSON.parse(Buffer.from(bytes).toString("utf8"))));
  });
}

async function readChecked(resource: LocalResource, path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new InferenceError("damaged-file", `${resource.name}: ${path} cannot be read`, { cause });
  });
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== resource.sha256)
    throw new InferenceError(
      "damaged-file",
      `${resource.name}: ${path} has SHA-256 ${found}, the catalog says ${resource.sha256}`,
    );
  return bytes;
}

function geneIdsOf(name: string, runner: OnnxRunner): string[] {
  const text = runner.metadata[MODEL_KEYS.featureIds];
  const parsed: unknown = text === undefined ? undefined : tryJson(text);
  if (!Array.isArray(parsed) || !parsed.every((id) => typeof id === "string"))
    throw new InferenceError(
      "model-without-genes",
      `the file of model ${name} does not say which genes it reads: its metadata need ${MODEL_KEYS.featureIds}, a JSON list of ids, as train_pca writes it`,
    );
  if (parsed.length !== runner.nFeatures)
    throw new InferenceError(
      "model-without-genes",
      `the file of model ${name} lists ${parsed.length} genes but reads ${runner.nFeatures}`,
    );
  return parsed;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
