import { type MessagePort, workerData } from "node:worker_threads";
import { Hdf5Error } from "./errors.ts";
import type { FallbackAnswer, FallbackCall, FallbackData } from "./fallback.ts";
import type { H5Reader } from "./types.ts";
import { openWasm } from "./wasm-reader.ts";

const { path, maxBytes, answered, port } = workerData as FallbackData & { port: MessagePort };
const opened = openWasm(path, maxBytes);
// Told with the first answer.
opened.catch(() => undefined);

port.on("message", async (call: FallbackCall) => {
  port.postMessage(await answer(call));
  Atomics.add(answered, 0, 1);
  Atomics.notify(answered, 0);
});

async function answer({ method, args }: FallbackCall): Promise<FallbackAnswer> {
  try {
    const reader = await opened;
    return { ok: true, value: ask(reader, method, args) };
  } catch (error) {
    if (error instanceof Hdf5Error) return { ok: false, tag: error.tag, message: error.message };
    return { ok: false, tag: "corrupt", message: `${path}: HDF5 failed: ${String(error)}` };
  }
}

function ask(reader: H5Reader, method: FallbackCall["method"], args: unknown[]): unknown {
  const [where, ...rest] = args as [string, ...unknown[]];
  if (method === "read") {
    const [start, end, columns] = rest as [number?, number?, (readonly [number, number])?];
    return reader.read(reader.dataset(where), start, end, columns);
  }
  if (method === "attribute") return reader.attribute(where, rest[0] as string);
  return reader[method](where);
}
