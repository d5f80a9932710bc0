import { createRequire } from "node:module";
import type * as Ort from "onnxruntime-node";
import { KernelError } from "./errors.ts";

export interface DenseTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** One compiled graph. Calls may overlap. */
export interface DenseSession {
  /** @throws KernelError `runtime`, `closed` */
  run(feeds: Readonly<Record<string, DenseTensor>>): Promise<Readonly<Record<string, DenseTensor>>>;
  close(): Promise<void>;
}

export interface SessionOptions {
  /** Threads within one call; default 1. */
  readonly threads?: number;
}

// onnxruntime sends data on its use to its maker, and leaves logs in the temporary folder, unless the environment of the process says no. A
// thread has only a copy of that: whoever starts threads sets it too (`createTaskPool` of service-kit does).
process.env.ORT_DISABLE_TELEMETRY ??= "1";

let runtime: typeof Ort | undefined;

/** Loaded on first use: the native library takes tens of megabytes that not every process needs. */
function loadRuntime(): typeof Ort {
  try {
    runtime ??= createRequire(import.meta.url)("onnxruntime-node") as typeof Ort;
    return runtime;
  } catch (cause) {
    throw new KernelError(
      "runtime",
      "onnxruntime-node could not be loaded: is it installed for this platform?",
      {
        cause,
      },
    );
  }
}

/**
 * Compiles an ONNX model for the CPU.
 * @throws KernelError `invalid_model`, `runtime`
 */
export async function createDenseSession(
  model: Uint8Array,
  options: SessionOptions = {},
): Promise<DenseSession> {
  const ort = loadRuntime();
  const session = await ort.InferenceSession.create(unshared(model), {
    executionProviders: ["cpu"],
    intraOpNumThreads: options.threads ?? 1,
    interOpNumThreads: 1,
    // The arena keeps its high-water mark for good; without it memory follows the batch.
    enableCpuMemArena: false,
    logSeverityLevel: 3,
  }).catch((cause: unknown) => {
    throw new KernelError("invalid_model", `the runtime refuses the model: ${messageOf(cause)}`, { cause });
  });
  let closing: Promise<void> | undefined;
  let running = 0;
  let whenIdle: (() => void) | undefined;
  return {
    async run(feeds) {
      if (closing) throw new KernelError("closed", "the session is closed: open the model again");
      running++;
      try {
        return await runOnce(ort, session, feeds);
      } finally {
        if (--running === 0) whenIdle?.();
      }
    },
    close() {
      closing ??= (async () => {
        // Releasing a session under a call in flight would free memory that call still reads.
        if (running > 0) await new Promise<void>((resolve) => (whenIdle = resolve));
        await session.release();
      })();
      return closing;
    },
  };
}

async function runOnce(
  ort: typeof Ort,
  session: Ort.InferenceSession,
  feeds: Readonly<Record<string, DenseTensor>>,
): Promise<Record<string, DenseTensor>> {
  try {
    const tensors = Object.entries(feeds).map(([name, { data, dims }]) => {
      const tensor =
        data instanceof Float32Array
          ? new ort.Tensor("float32", unshared(data), dims)
          : new ort.Tensor("int64", unshared(data), dims);
      return [name, tensor] as const;
    });
    const results = await session.run(Object.fromEntries(tensors));
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [
        name,
        { dims: tensor.dims, data: tensor.data as Float32Array | BigInt64Array },
      ]),
    );
  } catch (cause) {
    throw new KernelError("runtime", `the runtime failed: ${messageOf(cause)}`, { cause });
  }
}

/** The runtime rejects memory shared between threads, so such arrays are copied. */
function unshared<T extends Uint8Array | Float32Array | BigInt64Array>(data: T): T {
  return data.buffer instanceof SharedArrayBuffer ? (data.slice() as T) : data;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
