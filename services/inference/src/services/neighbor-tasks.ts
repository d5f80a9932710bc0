import { create, toBinary } from "@bufbuild/protobuf";
import {
  CellAnnotationSchema,
  CellNeighborsSchema,
} from "@cytomesh/contracts/inference/v1/inference_service";
import type { Ontology } from "@cytomesh/ontology";
import type { TaskContext } from "@cytomesh/service-kit/task";
import type { VectorIndex } from "@cytomesh/vector-index";
import { InferenceError } from "../errors.ts";
import type { ColumnFilter, Resources } from "../schemas/resources.ts";
import { createChunks, maxChunkBytes } from "./chunks.ts";
import { openOntology, openSearch } from "./opened.ts";
import {
  type OntologyAwareOptions,
  ontologyAware,
  ontologyMatches,
  type QueryNeighbors,
  summaryStatistics,
  termPositions,
} from "./vote/index.ts";

/** Column whose values the summary statistics count. */
export const labelColumn = "cell_type";

/** Column whose terms vote over the ontology. */
export const termColumn = "cell_type_ontology_term_id";

/** Queries between two looks at the signal: exact search works in batches of this many, so smaller ones would cost more. */
const searchRows = 64;

/** Answers that one task gathers at most, in bytes; the rest of its rows is left for another. */
const maxTaskBytes = 4 * maxChunkBytes;

/** Rows of a batch to search for. */
export interface NeighborsInput {
  readonly resources: Resources;
  readonly vectors: Float32Array;
  readonly dimension: number;
  /** Ids of the cells `start` to `end`. */
  readonly cellIds: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly neighbors: number;
  readonly filters: readonly ColumnFilter[];
}

/** Encoded answers, in the order of the rows. */
export interface Answers {
  /** Messages that hold the answers as field 2. */
  readonly chunks: Uint8Array[];
  /** First row without an answer. */
  readonly next: number;
}

/** Neighbours of cells, as `CellNeighbors`. */
export async function searchCells(input: NeighborsInput, context: TaskContext): Promise<Answers> {
  const index = await openedIndex(input, context);
  return answer(input, context, index, (queryCellId, found) =>
    toBinary(
      CellNeighborsSchema,
      create(CellNeighborsSchema, {
        queryCellId,
        cellIds: Array.from(found.ids, BigInt),
        distances: Array.from(found.distances),
      }),
    ),
  );
}

/** How to vote. */
export type Vote =
  | { readonly strategy: "summary-statistics" }
  | ({ readonly strategy: "ontology-aware" } & OntologyAwareOptions);

/** Input of {@link annotateCells}. */
export interface AnnotateInput extends NeighborsInput {
  readonly vote: Vote;
}

/** Annotations of cells, as `CellAnnotation`. */
export async function annotateCells(input: AnnotateInput, context: TaskContext): Promise<Answers> {
  const index = await openedIndex(input, context);
  const { ontology: resource, cached } = input.resources;
  const ontology = resource === undefined ? undefined : await openOntology(resource, cached);
  const vote = voterOf(input.vote, index, ontology);
  return answer(input, context, index, (queryCellId, found) =>
    toBinary(CellAnnotationSchema, create(CellAnnotationSchema, { queryCellId, ...vote(found) })),
  );
}

interface Found {
  readonly ids: Float64Array;
  readonly positions: Int32Array;
  readonly distances: Float64Array;
}

function voterOf(vote: Vote, index: VectorIndex, ontology: Ontology | undefined) {
  const ontologyVote = vote.strategy === "ontology-aware";
  const { codes, categories } = index.metadata(ontologyVote ? termColumn : labelColumn);
  const labelled = ({ positions, distances }: Found): QueryNeighbors => ({
    distances,
    labelCodes: positions.map((position) => codes[position] ?? -1),
  });
  if (!ontologyVote)
    return (found: Found) => {
      const { matches, ...counts } = summaryStatistics(labelled(found), categories);
      return { summaryMatches: [...matches], ...counts };
    };
  if (ontology === undefined) throw new InferenceError("no-ontology", "no ontology was opened to vote over");
  const terms = termPositions(ontology, categories);
  return (found: Found) => {
    const result = ontologyAware(labelled(found), terms, ontology, vote);
    return {
      ontologyMatches: ontologyMatches(result, ontology),
      totalWeight: result.totalWeight,
      totalNeighbors: result.totalNeighbors,
      totalNeighborsUnrecognized: result.totalNeighborsUnrecognized,
    };
  };
}

async function openedIndex(input: NeighborsInput, context: TaskContext): Promise<VectorIndex> {
  await context.breathe();
  const { index, cached } = input.resources;
  if (index === undefined) throw new InferenceError("no-index", "no index was opened to search in");
  return openSearch(index, cached, context.signal);
}

async function answer(
  input: NeighborsInput,
  context: TaskContext,
  index: VectorIndex,
  encode: (cellId: string, found: Found) => Uint8Array,
): Promise<Answers> {
  const { dimension, vectors, start, end, cellIds } = input;
  const chunks = createChunks();
  let row = start;
  while (row < end && chunks.bytes < maxTaskBytes) {
    await context.breathe();
    const first = row;
    const rows = Math.min(searchRows, end - first);
    const found = await index
      .search(vectors.subarray(first * dimension, (first + rows) * dimension), rows, input.neighbors, {
        filter: input.filters,
        signal: context.signal,
      })
      .catch((error: unknown) => {
        throw namingCell(error, cellIds, first - start);
      });
    for (let i = 0; i < rows; i++) {
      const from = i * found.k;
      const to = from + found.counts[i]!;
      const part = {
        ids: found.ids.subarray(from, to),
        positions: found.positions.subarray(from, to),
        distances: found.distances.subarray(from, to),
      };
      chunks.add(encode(cellIds[first + i - start] ?? "", part));
      // Thousands of scored terms per cell add up to milliseconds.
      if (i % 8 === 7) await context.breathe();
    }
    row += rows;
  }
  return { chunks: chunks.finish(), next: row };
}

/** The index knows queries by position in the call. */
function namingCell(error: unknown, cellIds: readonly string[], offset: number): unknown {
  const { tag, row, message } = error as { tag?: string; row?: number; message: string };
  if (tag !== "invalid_vector" || row === undefined) return error;
  return new InferenceError(
    "no-direction",
    `cell ${JSON.stringify(cellIds[offset + row] ?? "")} has an embedding that is near nothing: ${message}`,
    { cause: error },
  );
}
