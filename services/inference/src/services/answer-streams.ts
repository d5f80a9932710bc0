import type {
  AnnotateHeader,
  EmbedHeader,
  SearchHeader,
} from "@cytomesh/contracts/inference/v1/inference_service";
import type { Overlap } from "../schemas/resources.ts";
import { type EmbeddedBatch, embeddedBatches, type StreamMessage, takeHeader } from "./batches.ts";
import { maxChunkBytes } from "./chunks.ts";
import type { ServingDeps } from "./deps.ts";
import type { AnnotateInput, Answers, NeighborsInput } from "./neighbor-tasks.ts";
import { beginAnnotate, beginEmbed, beginSearch, type SearchSession } from "./session.ts";

/** Neighbours that one task may hold, over all its rows: 20 bytes each, several times over while they are encoded. */
const maxNeighborsPerTask = 1_000_000;

/** Rows per task at most: the thread turns to others in between. */
const maxRowsPerTask = 512;

/** Vectors of some cells. */
export interface EmbedAnswer {
  readonly cells: number;
  readonly dimension: number;
  /** float32 little-endian, row-major. */
  readonly vectors: Uint8Array;
  readonly overlap: Overlap;
}

/** Answers about some cells. */
export interface EncodedAnswer {
  readonly session: SearchSession;
  /** The answers as field 2 of a message, encoded; undefined when there is none. */
  readonly chunk: Uint8Array | undefined;
}

/** Serve an Embed stream. Errors as in the contract. */
export async function* embedStream(
  deps: ServingDeps,
  requests: AsyncIterable<StreamMessage<EmbedHeader>>,
  signal: AbortSignal,
): AsyncGenerator<EmbedAnswer> {
  const messages = requests[Symbol.asyncIterator]();
  const session = await beginEmbed(deps, await takeHeader(messages), signal);
  const { dimension, overlap } = session;
  const rows = Math.max(1, Math.floor(maxChunkBytes / (4 * dimension)));
  for await (const { cellIds, vectors } of embeddedBatches(deps, session, messages, signal)) {
    for (let start = 0; start === 0 || start < cellIds.length; start += rows) {
      const cells = Math.min(rows, cellIds.length - start);
      const bytes = new Uint8Array(vectors.buffer, start * dimension * 4, cells * dimension * 4);
      yield { cells, dimension, vectors: bytes, overlap };
    }
  }
}

/** Serve a Search stream. Errors as in the contract. */
export async function* searchStream(
  deps: ServingDeps,
  requests: AsyncIterable<StreamMessage<SearchHeader>>,
  signal: AbortSignal,
): AsyncGenerator<EncodedAnswer> {
  const messages = requests[Symbol.asyncIterator]();
  const session = await beginSearch(deps, await takeHeader(messages), signal);
  // An id of up to 9 bytes and a distance of 8 per neighbour.
  const pace = createPace(session.neighbors, session.neighbors * 17);
  for await (const batch of embeddedBatches(deps, session, messages, signal))
    for await (const chunk of answerBatch(session, batch, pace, (input: NeighborsInput) =>
      deps.pool.run<Answers>("searchCells", input, { signal }),
    ))
      yield { session, chunk };
}

/** Serve an Annotate stream. Errors as in the contract. */
export async function* annotateStream(
  deps: ServingDeps,
  requests: AsyncIterable<StreamMessage<AnnotateHeader>>,
  signal: AbortSignal,
): AsyncGenerator<EncodedAnswer> {
  const messages = requests[Symbol.asyncIterator]();
  const session = await beginAnnotate(deps, await takeHeader(messages), signal);
  const { vote, terms, neighbors } = session;
  // Without pruning every term comes back; with it a few dozen do.
  const allTerms = vote.strategy === "ontology-aware" && vote.pruneThreshold === 0;
  const pace = createPace(neighbors, allTerms ? terms * 64 : 16 * 1024);
  for await (const batch of embeddedBatches(deps, session, messages, signal))
    for await (const chunk of answerBatch(session, batch, pace, (input: NeighborsInput) => {
      const full: AnnotateInput = { ...input, vote };
      return deps.pool.run<Answers>("annotateCells", full, { signal });
    }))
      yield { session, chunk };
}

/** How many rows to give to a task so that its answers fill about one message; learns from the answers. */
interface Pace {
  rows(): number;
  saw(rows: number, bytes: number): void;
}

function createPace(neighbors: number, bytesPerRow: number): Pace {
  const most = Math.max(1, Math.min(maxRowsPerTask, Math.floor(maxNeighborsPerTask / neighbors)));
  let expected = bytesPerRow;
  return {
    rows: () => Math.max(1, Math.min(most, Math.floor((0.9 * maxChunkBytes) / Math.max(1, expected)))),
    saw(rows, bytes) {
      if (rows > 0) expected = bytes / rows;
    },
  };
}

/** The answers of a batch, part by part: nothing is computed before the part before it was taken, so a slow reader costs no memory. */
async function* answerBatch(
  session: SearchSession,
  { cellIds, vectors }: EmbeddedBatch,
  pace: Pace,
  run: (input: NeighborsInput) => Promise<Answers>,
): AsyncGenerator<Uint8Array | undefined> {
  if (cellIds.length === 0) yield undefined;
  const { resources, dimension, neighbors, filters } = session;
  for (let start = 0; start < cellIds.length; ) {
    const end = Math.min(cellIds.length, start + pace.rows());
    const { chunks, next } = await run({
      resources,
      vectors,
      dimension,
      cellIds: cellIds.slice(start, end),
      start,
      end,
      neighbors,
      filters,
    });
    pace.saw(
      next - start,
      chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    );
    yield* chunks;
    start = next;
  }
}
