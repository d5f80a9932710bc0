import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import {
  ItemState,
  type JobItem,
  type JobProgress,
  JobProgressSchema,
} from "@cytomesh/contracts/jobs/v1/job";
import type { JobWorkerService } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import type { Logger } from "@cytomesh/rpc";
import type { AttemptStopped } from "./attempt.ts";
import { patiently } from "./control-plane-calls.ts";
import type { ItemRecord, ProgressUpdate } from "./handler.ts";

/** Progress is sent at most this often, in ms: fast enough for a terminal, slow enough for the database. */
const progressIntervalMs = 400;

interface KeeperOptions {
  readonly client: Client<typeof JobWorkerService>;
  readonly jobId: string;
  readonly lease: string;
  readonly leaseMs: number;
  readonly stop: (why: AttemptStopped["why"]) => void;
  /** What `stop` aborts. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly items: readonly JobItem[];
}

/** Keeps the lease alive, sends progress when it changed, and turns "cancel requested" and "lease lost" into an abort. */
export function keepLease(options: KeeperOptions) {
  const { client, jobId, lease, leaseMs, stop, signal, log } = options;
  const { progress, count } = countedProgress(options.items);
  let changed = false;
  let lastBeat = Date.now();
  let closed = false;
  let beating: Promise<void> | undefined;

  const beat = async () => {
    const send = changed;
    changed = false;
    try {
      const response = await client.heartbeat(
        { jobId, lease, ...(send ? { progress: create(JobProgressSchema, progress) } : {}) },
        { timeoutMs: Math.max(1_000, leaseMs / 3) },
      );
      lastBeat = Date.now();
      if (response.cancelRequested) stop("cancelled");
    } catch (error) {
      if (send) changed = true;
      if (error instanceof ConnectError && (error.code === Code.Aborted || error.code === Code.NotFound))
        stop("lease-lost");
      else if (Date.now() - lastBeat > leaseMs) {
        log.error({ err: error }, "no heartbeat for a whole lease");
        stop("lease-lost");
      }
    }
  };
  const timer = setInterval(() => {
    const due = changed || Date.now() - lastBeat > leaseMs / 3;
    if (closed || !due || beating !== undefined) return;
    beating = beat().finally(() => {
      beating = undefined;
    });
  }, progressIntervalMs);

  const touch = () => {
    changed = true;
  };
  const fenced = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      // Recording twice leaves the same, and a control plane that restarts is no reason to do the work again.
      return await patiently(call, leaseMs, signal);
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.Aborted) stop("lease-lost");
      throw error;
    }
  };
  return {
    update(update: ProgressUpdate): void {
      if (isCount(update.done)) progress.done = BigInt(wholeCount(update.done, Number.MAX_SAFE_INTEGER));
      if (isCount(update.total)) progress.total = BigInt(wholeCount(update.total, Number.MAX_SAFE_INTEGER));
      if (update.unit !== undefined) progress.unit = update.unit;
      if (update.message !== undefined) progress.message = update.message;
      touch();
    },
    expectItems(total: number): void {
      if (isCount(total)) progress.itemsTotal = wholeCount(total, 2 ** 31 - 1);
      touch();
    },
    async record(item: ItemRecord): Promise<void> {
      const state = { running: ItemState.RUNNING, succeeded: ItemState.SUCCEEDED, failed: ItemState.FAILED }[
        item.outcome
      ];
      const response = await fenced(() =>
        client.recordItems({
          jobId,
          lease,
          items: [
            {
              key: item.key,
              state,
              ...(item.error === undefined ? {} : { error: { ...item.error, retryable: false } }),
              ...(item.checkpoint === undefined ? {} : { checkpoint: item.checkpoint }),
            },
          ],
        }),
      );
      lastBeat = Date.now();
      count(item.key, state);
      touch();
      if (response.cancelRequested) stop("cancelled");
    },
    /** Stop beating and send the last progress. */
    async close(): Promise<void> {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      await beating;
      if (changed) await beat();
    },
  };
}

// A handler's arithmetic must not stop the heartbeats: what no message can carry is left out.
const isCount = (value: number | undefined): value is number => value !== undefined && Number.isFinite(value);
const wholeCount = (value: number, max: number): number => Math.min(max, Math.max(0, Math.round(value)));

/** Progress with the counts of items, each key counted once however often it is recorded. */
function countedProgress(items: readonly JobItem[]): {
  progress: JobProgress;
  count(key: string, state: ItemState): void;
} {
  const states = new Map(items.map((item) => [item.key, item.state]));
  const progress = create(JobProgressSchema, { itemsTotal: items.length });
  const tally = (state: ItemState | undefined, by: number) => {
    if (state === ItemState.SUCCEEDED) progress.itemsSucceeded += by;
    if (state === ItemState.FAILED) progress.itemsFailed += by;
  };
  for (const state of states.values()) tally(state, 1);
  return {
    progress,
    count(key, state) {
      tally(states.get(key), -1);
      states.set(key, state);
      tally(state, 1);
    },
  };
}
