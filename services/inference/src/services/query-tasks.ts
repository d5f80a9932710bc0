import type { TaskContext } from "@cytomesh/service-kit/task";
import type { VectorIndex } from "@cytomesh/vector-index";
import { InferenceError } from "../errors.ts";
import type { ColumnFilter, Overlap, PackedRows, Resources } from "../schemas/resources.ts";
import { mapGenes } from "./align-genes.ts";
import { openModel, openOntology, openSearch } from "./opened.ts";
import { alignRows, decodeRows } from "./rows.ts";

/** Values of a column shown when a filter names none of them. */
const maxValuesShown = 20;

/** Input of {@link begin}. */
export interface BeginInput {
  readonly resources: Resources;
  /** Genes of the rows; empty: the model's own. */
  readonly featureIds: readonly string[];
  readonly filters: readonly ColumnFilter[];
}

/** What a stream works with from its header on. */
export interface BeginOutput {
  /** See `mapGenes`; undefined when the rows come in the model's order. */
  readonly columns: Int32Array | undefined;
  /** Genes that positions of the rows count over. */
  readonly genes: number;
  readonly overlap: Overlap;
  readonly dimension: number;
}

/**
 * Open what a stream needs, map its genes, look at its filters: whatever is wrong with the header comes out here.
 *
 * @throws InferenceError `no-shared-genes`, `unknown-filter`, `damaged-file`, `model-without-genes`, and what opening throws
 */
export async function begin(input: BeginInput, context: TaskContext): Promise<BeginOutput> {
  await context.breathe();
  const { resources, featureIds, filters } = input;
  const { model, index, ontology, cached } = resources;
  const opened = await openModel(model, cached);
  const dimension = opened.runner.nComponents;
  const genes = featureIds.length === 0 ? opened.geneIds.length : featureIds.length;
  const map = featureIds.length === 0 ? undefined : mapGenes(featureIds, opened);
  if (index !== undefined) {
    const search = await openSearch(index, cached, context.signal);
    if (search.dimension !== dimension)
      throw new InferenceError(
        "damaged-file",
        `index ${index.name} has vectors of ${search.dimension}, model ${model.name} gives ${dimension}`,
      );
    for (const filter of filters) checkFilter(search, index.name, filter);
  }
  if (ontology !== undefined) await openOntology(ontology, cached);
  const overlap = map?.overlap ?? { modelGenes: genes, queryGenes: genes, sharedGenes: genes };
  return { columns: map?.columns, genes, overlap, dimension };
}

function checkFilter(search: VectorIndex, name: string, filter: ColumnFilter): void {
  const { columns } = search.manifest;
  if (!columns.includes(filter.column))
    throw new InferenceError(
      "unknown-filter",
      `index ${name} carries no column ${JSON.stringify(filter.column)} to filter by; it has ${columns.join(", ") || "none"}`,
    );
  const { categories } = search.metadata(filter.column);
  const known = new Set(categories);
  const unknown = filter.in.filter((value) => !known.has(value));
  if (unknown.length === 0) return;
  const shown = categories.slice(0, maxValuesShown).join(", ") || "none";
  const rest = categories.length > maxValuesShown ? ` and ${categories.length - maxValuesShown} more` : "";
  throw new InferenceError(
    "unknown-filter",
    `column ${filter.column} of index ${name} has no value ${unknown
      .slice(0, 5)
      .map((value) => JSON.stringify(value.slice(0, 100)))
      .join(", ")}; it has ${shown}${rest}`,
  );
}

/** Input of {@link embedCells}. */
export interface EmbedCellsInput {
  readonly resources: Resources;
  readonly columns: Int32Array | undefined;
  readonly genes: number;
  readonly rows: PackedRows;
}

/**
 * Vectors of the cells of a batch, cells × dimension, in shared memory: no thread needs a copy to search with them.
 *
 * @throws InferenceError `invalid-rows`
 */
export async function embedCells(input: EmbedCellsInput, context: TaskContext): Promise<Float32Array> {
  await context.breathe();
  const { model, cached } = input.resources;
  const { runner } = await openModel(model, cached);
  const query = decodeRows(input.rows, input.genes);
  const { rows, totals } = alignRows(query, input.columns, runner.nFeatures);
  await context.breathe();
  const vectors = await runner.embedRows(rows, totals, { signal: context.signal });
  const shared = new Float32Array(new SharedArrayBuffer(vectors.byteLength));
  shared.set(vectors);
  return shared;
}
