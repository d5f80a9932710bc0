import { setImmediate as breathe } from "node:timers/promises";
import type { CellRows } from "@cytomesh/contracts/inference/v1/inference_service";
import { InferenceError } from "../errors.ts";
import type { PackedRows } from "../schemas/resources.ts";
import type { ServingDeps } from "./deps.ts";
import { inOrder } from "./in-order.ts";
import type { EmbedCellsInput } from "./query-tasks.ts";
import type { EmbedSession } from "./session.ts";

/** Rows per batch at most. */
const maxRows = 10_000;

/** Batches of a stream under way at most: one is embedded while the one before is answered. */
const lookAhead = 2;

/** Bytes copied at a stretch: below a millisecond even into memory that is touched for the first time. */
const copyBytes = 1024 * 1024;

/** A message of any of the streams. */
export interface StreamMessage<H> {
  readonly message:
    | { readonly case: "header"; readonly value: H }
    | { readonly case: "rows"; readonly value: CellRows }
    | { readonly case: undefined; readonly value?: undefined };
}

/** A batch with its vectors, cells × dimension. */
export interface EmbeddedBatch {
  readonly cellIds: string[];
  readonly vectors: Float32Array;
}

/**
 * Take the header off a stream.
 *
 * @throws InferenceError `header-expected` when it begins with something else, or with nothing.
 */
export async function takeHeader<H>(requests: AsyncIterator<StreamMessage<H>>): Promise<H> {
  const first = await requests.next();
  const message = first.done ? undefined : first.value.message;
  if (message?.case === "header") return message.value;
  throw new InferenceError(
    "header-expected",
    `expected a header as the first message of the stream, found ${first.done ? "the end" : (message?.case ?? "an empty message")}`,
  );
}

/** The batches of a stream in their order, embedded in the threads, at most two under way. */
export async function* embeddedBatches<H>(
  deps: ServingDeps,
  session: EmbedSession,
  requests: AsyncIterator<StreamMessage<H>>,
  signal: AbortSignal,
): AsyncGenerator<EmbeddedBatch> {
  const left = new AbortController();
  const stop = AbortSignal.any([signal, left.signal]);
  try {
    yield* inOrder(requests, lookAhead, ({ message }) => embed(deps, session, message, stop));
  } finally {
    left.abort(new Error("the stream is over"));
  }
}

async function embed<H>(
  deps: ServingDeps,
  session: EmbedSession,
  message: StreamMessage<H>["message"],
  signal: AbortSignal,
): Promise<EmbeddedBatch> {
  if (message.case !== "rows")
    throw new InferenceError(
      "rows-expected",
      `expected rows after the header, found ${message.case === "header" ? "a second header" : "an empty message"}`,
    );
  const { cellIds } = message.value;
  if (cellIds.length > maxRows)
    throw new InferenceError(
      "too-many-rows",
      `expected at most ${maxRows} cells in a batch, found ${cellIds.length}; send them in several`,
    );
  const rows = await ownedRows(message.value);
  const { resources, columns, genes } = session;
  const input: EmbedCellsInput = { resources, columns, genes, rows };
  const transfer = [rows.indptr, rows.indices, rows.data, rows.totalCounts].map(
    (bytes) => bytes.buffer as ArrayBuffer,
  );
  const vectors = await deps.pool.run<Float32Array>("embedCells", input, { signal, transfer });
  return { cellIds, vectors };
}

/** The arrays in memory of their own: those of the message are views of a buffer that the transport keeps, so they cannot be handed over. */
async function ownedRows(rows: CellRows): Promise<PackedRows> {
  const own = async (bytes: Uint8Array): Promise<Uint8Array> => {
    const copy = new Uint8Array(bytes.length);
    for (let at = 0; at < bytes.length; at += copyBytes) {
      copy.set(bytes.subarray(at, at + copyBytes), at);
      if (at + copyBytes < bytes.length) await breathe();
    }
    return copy;
  };
  return {
    cellIds: rows.cellIds,
    indptr: await own(rows.indptr),
    indices: await own(rows.indices),
    data: await own(rows.data),
    totalCounts: await own(rows.totalCounts),
  };
}
