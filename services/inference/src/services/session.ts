import type { Index, Model } from "@cytomesh/contracts/catalog/v1/resources";
import type {
  AnnotateHeader,
  EmbedHeader,
  SearchHeader,
} from "@cytomesh/contracts/inference/v1/inference_service";
import { InferenceError, type Violation } from "../errors.ts";
import type { ColumnFilter, LocalResource, Resources } from "../schemas/resources.ts";
import { defaultNeighbors } from "./build-index-job.ts";
import type { ServingDeps } from "./deps.ts";
import { localFile, localIndex } from "./local-resources.ts";
import { labelColumn, termColumn, type Vote } from "./neighbor-tasks.ts";
import type { BeginInput, BeginOutput } from "./query-tasks.ts";
import { resolveIndex, resolveModel } from "./resolve.ts";

/** Neighbours per cell at most. */
const maxNeighbors = 10_000;

/** What the header of a stream settled for all its rows. */
export interface EmbedSession extends BeginOutput {
  readonly resources: Resources;
  readonly model: Model;
}

/** The same for a stream that searches. */
export interface SearchSession extends EmbedSession {
  readonly index: Index;
  readonly neighbors: number;
  readonly filters: readonly ColumnFilter[];
}

/** The same for a stream that annotates. */
export interface AnnotateSession extends SearchSession {
  readonly vote: Vote;
  /** Terms of the ontology; 0 without one. */
  readonly terms: number;
}

/** Settle what an Embed stream works with. */
export async function beginEmbed(
  deps: ServingDeps,
  header: EmbedHeader,
  signal: AbortSignal,
): Promise<EmbedSession> {
  const model = await resolveModel(deps.catalog, header.model);
  const resources: Resources = {
    model: await stoppable(localFile(deps.copies, "models", model, deps.lifetime), signal),
    cached: deps.cachedIndexes,
  };
  return { model, resources, ...(await begin(deps, { resources, ...header, filters: [] }, signal)) };
}

/** Settle what a Search stream works with. */
export async function beginSearch(
  deps: ServingDeps,
  header: SearchHeader,
  signal: AbortSignal,
): Promise<SearchSession> {
  checkHeader(header);
  const { index, model } = await resolveIndex(deps.catalog, header);
  return openSession(deps, { header, index, model }, undefined, signal);
}

/** Settle what an Annotate stream works with. */
export async function beginAnnotate(
  deps: ServingDeps,
  header: AnnotateHeader,
  signal: AbortSignal,
): Promise<AnnotateSession> {
  const { search } = header;
  if (search === undefined) throw invalid([{ field: "header.search", description: "is missing" }]);
  const vote = voteOf(header);
  checkHeader(search);
  const { index, model } = await resolveIndex(deps.catalog, search);
  requireColumn(index, vote.strategy === "ontology-aware" ? termColumn : labelColumn);
  const ontology = vote.strategy === "ontology-aware" ? await ontologyOf(deps, index) : undefined;
  const local =
    ontology && (await stoppable(localFile(deps.copies, "ontologies", ontology, deps.lifetime), signal));
  const session = await openSession(deps, { header: search, index, model }, local, signal);
  return { ...session, vote, terms: ontology?.terms ?? 0 };
}

async function openSession(
  deps: ServingDeps,
  found: { header: SearchHeader; index: Index; model: Model },
  ontology: LocalResource | undefined,
  signal: AbortSignal,
): Promise<SearchSession> {
  const { header, index, model } = found;
  const [localModel, local] = await stoppable(
    Promise.all([
      localFile(deps.copies, "models", model, deps.lifetime),
      localIndex(deps.copies, index, deps.lifetime),
    ]),
    signal,
  );
  const resources: Resources = {
    model: localModel,
    index: local,
    cached: deps.cachedIndexes,
    ...(ontology === undefined ? {} : { ontology }),
  };
  const filters = header.filters.map(({ column, values }) => ({ column, in: values }));
  const begun = await begin(deps, { resources, featureIds: header.featureIds, filters }, signal);
  const neighbors = header.neighbors || index.defaultNeighbors || defaultNeighbors;
  return { model, index, resources, filters, neighbors, ...begun };
}

function begin(deps: ServingDeps, input: BeginInput, signal: AbortSignal): Promise<BeginOutput> {
  const { resources, featureIds, filters } = input;
  return deps.pool.run<BeginOutput>("begin", { resources, featureIds, filters }, { signal });
}

function checkHeader({ neighbors, filters }: SearchHeader): void {
  const wrong: Violation[] = [];
  if (neighbors < 0 || neighbors > maxNeighbors)
    wrong.push({
      field: "header.neighbors",
      description: `expected 1 to ${maxNeighbors}, or 0 for the index's default, found ${neighbors}`,
    });
  filters.forEach(({ column, values }, i) => {
    if (column === "") wrong.push({ field: `header.filters[${i}].column`, description: "is empty" });
    if (values.length === 0)
      wrong.push({
        field: `header.filters[${i}].values`,
        description: "expected at least one value, as no cell could pass otherwise",
      });
  });
  if (wrong.length > 0) throw invalid(wrong);
}

function voteOf({ strategy }: AnnotateHeader): Vote {
  if (strategy.case === "summaryStatistics") return { strategy: "summary-statistics" };
  if (strategy.case !== "ontologyAware")
    throw invalid([
      { field: "header.strategy", description: "expected summary_statistics or ontology_aware, found none" },
    ]);
  const { pruneThreshold, weightingPrefactor } = strategy.value;
  const wrong: Violation[] = [];
  if (!(pruneThreshold >= 0 && pruneThreshold <= 1))
    wrong.push({
      field: "header.ontology_aware.prune_threshold",
      description: `expected 0 to 1, found ${pruneThreshold}`,
    });
  if (!(weightingPrefactor >= 0 && weightingPrefactor < Number.POSITIVE_INFINITY))
    wrong.push({
      field: "header.ontology_aware.weighting_prefactor",
      description: `expected a finite number of 0 or more, found ${weightingPrefactor}`,
    });
  if (wrong.length > 0) throw invalid(wrong);
  return { strategy: "ontology-aware", pruneThreshold, weightingPrefactor };
}

function requireColumn(index: Index, column: string): void {
  if (!index.metadataColumns.includes(column))
    throw new InferenceError(
      "no-labels",
      `index ${index.name} carries no ${column} to vote by; it has ${index.metadataColumns.join(", ") || "no columns"}. Build one from a curriculum that carries ${column}`,
    );
}

async function ontologyOf(deps: ServingDeps, index: Index) {
  if (index.ontology === "")
    throw new InferenceError(
      "no-ontology",
      `index ${index.name} names no ontology to vote over; use summary statistics, or build an index with an ontology`,
    );
  return deps.catalog.ontology(index.ontology);
}

function invalid(violations: Violation[]): InferenceError {
  const told = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  return new InferenceError("invalid-header", told, { violations });
}

/** Wait no longer than the caller does; what is waited for goes on, as others need it too. */
async function stoppable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
