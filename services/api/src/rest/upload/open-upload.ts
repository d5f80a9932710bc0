import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import type { PackedCellRows } from "@cytomesh/contracts/cell-rows";
import type { TaskPool } from "@cytomesh/service-kit";
import type { ReadMessage, ReadRequest, UploadHeader } from "./read-rows.ts";

/** Batches that the reader may be ahead of the service that takes them: enough for a CAS chunk to leave the thread at once. */
const readAhead = 2;

/** An upload that is being read in a worker thread. */
export interface OpenUpload {
  readonly header: UploadHeader;
  /** The rows, once; the reader waits while they are not taken. */
  readonly rows: AsyncGenerator<PackedCellRows>;
}

/**
 * Begin to read an upload. The signal ends the reader, and must fire when the rows are not read to their end.
 *
 * @throws TaskError what the reader throws, also while rows are taken
 */
export async function openUpload(
  pool: TaskPool,
  request: Omit<ReadRequest, "port">,
  signal: AbortSignal,
): Promise<OpenUpload> {
  const { port1, port2 } = new MessageChannel();
  const inbox: ReadMessage[] = [];
  const arrived = new EventTarget();
  const notify = () => arrived.dispatchEvent(new Event("change"));
  let failure: { reason: unknown } | undefined;
  port1.on("message", (message: ReadMessage) => {
    inbox.push(message);
    notify();
  });
  for (let i = 0; i < readAhead; i++) port1.postMessage("more");
  pool.run("read", { ...request, port: port2 }, { signal, transfer: [port2] }).catch((reason) => {
    failure = { reason };
    port1.close();
    notify();
  });
  const next = async (): Promise<ReadMessage> => {
    for (;;) {
      signal.throwIfAborted();
      // A failure is reported as soon as it is known; rows read before it are of no use.
      if (failure !== undefined) throw failure.reason;
      const message = inbox.shift();
      if (message !== undefined) return message;
      await once(arrived, "change", { signal });
    }
  };
  const first = await next();
  if (!("header" in first)) throw new Error("the reader began without a header");
  const rows = async function* (): AsyncGenerator<PackedCellRows> {
    try {
      for (let message = await next(); !("end" in message); message = await next()) {
        if (!("rows" in message)) continue;
        port1.postMessage("more");
        yield message.rows;
      }
    } finally {
      port1.close();
    }
  };
  return { header: first.header, rows: rows() };
}
