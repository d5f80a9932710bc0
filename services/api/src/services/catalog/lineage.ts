import { create } from "@bufbuild/protobuf";
import { type LineageNode, LineageNodeSchema } from "@cytomesh/contracts/catalog/v1/resources";
import type { ArtifactMessages, CatalogReads } from "../../data-manager/catalog-store.ts";
import { notFound, throwViolations } from "../../errors.ts";
import type { ArtifactKind, IngestRecord } from "../../schemas/catalog.ts";
import type { CatalogContext } from "./context.ts";

const KINDS = ["index", "embedding", "model", "curriculum", "ingest"];

interface Description {
  readonly sha256: string;
  readonly jobId?: string;
  readonly parents: string[];
  readonly facts: Record<string, string>;
}

type Describe = { [K in ArtifactKind]: (it: ArtifactMessages[K]) => Description };

const named = (kind: string, name: string): string[] => (name === "" ? [] : [`${kind}/${name}`]);

const describe: Describe = {
  index: (it) => ({
    sha256: it.manifestSha256,
    jobId: it.jobId,
    parents: [...named("embedding", it.embedding), ...named("ontology", it.ontology)],
    facts: { cells: String(it.cells), kind: it.kind, metric: it.metric, dimension: String(it.dimension) },
  }),
  embedding: (it) => ({
    sha256: it.manifestSha256,
    jobId: it.jobId,
    parents: [...named("model", it.model), ...named("curriculum", it.curriculum)],
    facts: { cells: String(it.cells), dimension: String(it.dimension) },
  }),
  model: (it) => ({
    sha256: it.sha256,
    jobId: it.jobId,
    parents: named("curriculum", it.curriculum),
    facts: { kind: it.kind, dimension: String(it.dimension), feature_schema: it.featureSchema },
  }),
  curriculum: (it) => ({
    sha256: it.manifestSha256,
    jobId: it.jobId,
    parents: it.ingestIds.map((id) => `ingest/${id}`),
    facts: {
      dataset: it.dataset,
      cells: String(it.cells),
      bins: String(it.bins),
      seed: String(it.seed),
      feature_schema: it.featureSchema,
    },
  }),
  ontology: (it) => ({
    sha256: it.sha256,
    parents: [],
    facts: { terms: String(it.terms), column_name: it.columnName },
  }),
};

function ingestNode(it: IngestRecord): LineageNode {
  const { id, sha256, uri, jobId } = it;
  const facts = {
    dataset: it.dataset,
    source_uri: it.sourceUri,
    cells: String(it.cells ?? 0),
    state: it.state,
  };
  return create(LineageNodeSchema, { kind: "ingest", name: id, sha256, uri, jobId, facts });
}

/** The resource and all it rests on, breadth first, each node once. Errors: see `CatalogService.GetLineage`. */
export async function getLineage(
  context: CatalogContext,
  kind: string,
  name: string,
): Promise<LineageNode[]> {
  if (!KINDS.includes(kind))
    throwViolations("the request", [{ field: "kind", description: `expected one of ${KINDS.join(", ")}` }]);
  const { store } = context;
  const nodes: LineageNode[] = [];
  const seen = new Set([`${kind}/${name}`]);
  for (let level = [...seen]; level.length > 0; ) {
    const found = await readNodes(store, level);
    if (nodes.length === 0 && found.length === 0) throw notFound(kind, name);
    nodes.push(...found);
    const next = new Set(found.flatMap((node) => node.parents).filter((parent) => !seen.has(parent)));
    for (const parent of next) seen.add(parent);
    level = [...next];
  }
  return nodes;
}

async function readNodes(store: CatalogReads, references: readonly string[]): Promise<LineageNode[]> {
  const nodes: LineageNode[] = [];
  const ingests: string[] = [];
  for (const reference of references) {
    const cut = reference.indexOf("/");
    const [kind, name] = [reference.slice(0, cut), reference.slice(cut + 1)];
    if (kind === "ingest") ingests.push(name);
    else nodes.push(...(await artifactNode(store, kind as ArtifactKind, name)));
  }
  if (ingests.length > 0) nodes.push(...(await store.ingestsById(ingests)).map(ingestNode));
  return nodes;
}

async function artifactNode<K extends ArtifactKind>(
  store: CatalogReads,
  kind: K,
  name: string,
): Promise<LineageNode[]> {
  const it = await store.artifact(kind, name);
  if (it === undefined) return [];
  return [create(LineageNodeSchema, { kind, name: it.name, uri: it.uri, ...describe[kind](it) })];
}
