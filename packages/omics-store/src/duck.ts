import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBResult,
  type DuckDBValue,
} from "@duckdb/node-api";
import { OmicsStoreError } from "./errors.ts";

export interface DuckOptions {
  signal?: AbortSignal | undefined;
  /** DuckDB's own memory; beyond it sorts and tables spill to the temporary folder. */
  memoryBytes?: number;
}

const DEFAULT_DUCKDB_BYTES = 2 * 1024 ** 3;

export interface Duck {
  run(sql: string, params?: DuckDBValue[]): Promise<void>;
  /** All rows as arrays of DuckDB values: for small results. */
  rows(sql: string, params?: DuckDBValue[]): Promise<DuckDBValue[][]>;
  stream(sql: string, params?: DuckDBValue[]): Promise<DuckDBResult>;
  readonly connection: DuckDBConnection;
  close(): void;
}

function cancelled(signal: AbortSignal): OmicsStoreError {
  return new OmicsStoreError("cancelled", "the operation was cancelled", { cause: signal.reason });
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled(signal);
}

/** An in-memory DuckDB of its own: no extension is downloaded, nothing is kept. */
export async function openDuck(options: DuckOptions = {}): Promise<Duck> {
  const { signal } = options;
  throwIfAborted(signal);
  // One folder per instance: two that spill into the same folder read each other's blocks and take the process down.
  const spillDir = join(tmpdir(), `cytomesh-duckdb-${process.pid}-${randomUUID()}`);
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    memory_limit: `${options.memoryBytes ?? DEFAULT_DUCKDB_BYTES}B`,
    temp_directory: spillDir,
  });
  const connection = await instance.connect();
  const interrupt = (): void => connection.interrupt();
  signal?.addEventListener("abort", interrupt);
  return {
    connection,
    run: (sql, params) => guarded(signal, async () => void (await connection.run(sql, params))),
    rows: (sql, params) => guarded(signal, async () => (await connection.run(sql, params)).getRows()),
    stream: (sql, params) => guarded(signal, () => connection.stream(sql, params)),
    close: () => {
      signal?.removeEventListener("abort", interrupt);
      connection.closeSync();
      instance.closeSync();
      rmSync(spillDir, { recursive: true, force: true });
    },
  };
}

/** Runs one DuckDB call; its failures become `cancelled` (when the signal fired) or `engine`. */
export async function guarded<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
  throwIfAborted(signal);
  try {
    return await call();
  } catch (cause) {
    if (signal?.aborted) throw cancelled(signal);
    if (cause instanceof OmicsStoreError) throw cause;
    throw new OmicsStoreError("engine", `DuckDB: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

export async function withDuck<T>(options: DuckOptions, use: (duck: Duck) => Promise<T>): Promise<T> {
  const duck = await openDuck(options);
  try {
    return await use(duck);
  } finally {
    duck.close();
  }
}

/**
 * Runs `use` on every chunk while DuckDB prepares the next one. Views into a chunk live as long as it does; `rowCount` is read again
 * after `use` to keep it alive until then.
 */
export async function eachChunk(
  signal: AbortSignal | undefined,
  result: DuckDBResult,
  use: (chunk: DuckDBDataChunk) => void | Promise<void>,
): Promise<void> {
  let chunk = await guarded(signal, () => result.fetchChunk());
  while (chunk !== null && chunk.rowCount > 0) {
    const next = guarded(signal, () => result.fetchChunk());
    next.catch(() => undefined); // awaited below, unless `use` throws first
    try {
      await use(chunk);
    } catch (error) {
      await next.catch(() => undefined); // the connection must be idle before it is closed
      throw error;
    }
    if (chunk.rowCount < 0) break;
    chunk = await next;
  }
}
