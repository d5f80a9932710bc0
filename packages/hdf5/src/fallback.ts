import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { Hdf5Error, type Hdf5ErrorTag } from "./errors.ts";
import type { DatasetInfo, H5Reader } from "./types.ts";

export interface FallbackCall {
  method: "kind" | "realPath" | "children" | "attributeNames" | "attribute" | "dataset" | "read";
  args: unknown[];
}

export type FallbackAnswer = { ok: true; value: unknown } | { ok: false; tag: Hdf5ErrorTag; message: string };

export interface FallbackData {
  path: string;
  maxBytes: number;
  /** Raised and notified with every answer. */
  answered: Int32Array<SharedArrayBuffer>;
}

/** HDF5 runs forever on some damaged files; its thread is ended when one call takes longer. */
const callTimeoutMs = 60_000;
const resourceLimits = { maxOldGenerationSizeMb: 1024, stackSizeMb: 4 };

/**
 * h5wasm in a thread of its own behind synchronous calls: the caller waits on shared memory. So the module is loaded only when it is
 * needed, and neither a trap nor an endless loop in it reaches the caller.
 */
export function openFallback(path: string, maxBytes: number): H5Reader {
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new MessageChannel();
  const workerData: FallbackData & { port: typeof port2 } = { path, maxBytes, answered, port: port2 };
  const worker = new Worker(new URL("./fallback-worker.ts", import.meta.url), {
    workerData,
    transferList: [port2],
    resourceLimits,
  });
  worker.unref();
  port1.unref();
  // Its own failures end it; the call that waits then runs into its time limit, and an "error" nobody hears would end the process.
  worker.on("error", () => undefined);
  let open = true;

  function call(method: FallbackCall["method"], ...args: unknown[]): unknown {
    if (!open) throw new Hdf5Error("closed", `${path} is closed`);
    const before = Atomics.load(answered, 0);
    port1.postMessage({ method, args } satisfies FallbackCall);
    if (Atomics.wait(answered, 0, before, callTimeoutMs) === "timed-out") {
      close();
      throw new Hdf5Error("corrupt", `${path}: HDF5 did not answer within ${callTimeoutMs} ms`);
    }
    const answer = receiveMessageOnPort(port1)?.message as FallbackAnswer | undefined;
    if (answer === undefined) throw new Hdf5Error("corrupt", `${path}: the thread of HDF5 ended`);
    if (!answer.ok) throw new Hdf5Error(answer.tag, answer.message);
    return answer.value;
  }

  function close(): void {
    if (!open) return;
    open = false;
    port1.close();
    void worker.terminate();
  }

  return {
    path,
    sizeBytes: 0,
    maxBytes,
    kind: (where) => call("kind", where) as ReturnType<H5Reader["kind"]>,
    realPath: (where) => call("realPath", where) as string | undefined,
    children: (where) => call("children", where) as string[],
    attributeNames: (where) => call("attributeNames", where) as string[],
    attribute: (where, name) => call("attribute", where, name) as ReturnType<H5Reader["attribute"]>,
    dataset: (where) => call("dataset", where) as DatasetInfo,
    read: (info, start, end, columns) =>
      call("read", info.path, start, end, columns) as ReturnType<H5Reader["read"]>,
    storage: () => undefined,
    close,
    [Symbol.dispose]: close,
  };
}
