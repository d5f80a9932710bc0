import { setTimeout as sleep } from "node:timers/promises";
import { ItemState } from "@cytomesh/contracts/jobs/v1/job";
import { describeFailure, type JobContext, type JobKind } from "@cytomesh/jobs";

/** Shards of a job when a spec does not say, as in the published pipelines. */
const defaultShards = 256;

/** A part of the files of a job: its unit of work, of resuming, and an item of the job. */
export interface Shard {
  /** From 0. */
  readonly number: number;
  /** Name in files: five digits, from `00000`. */
  readonly name: string;
  /** Name as an item: the file's own URI where the shard has one file, else `shard 00017 (71 files)`. */
  readonly key: string;
  readonly uris: readonly string[];
  /** Position of each file in the whole list. */
  readonly positions: readonly number[];
}

/** Deal files to shards in turn, so that neighbours in a listing, which are alike in size, spread evenly. */
export function dealShards(uris: readonly string[], wanted: number): Shard[] {
  const count = Math.min(uris.length, wanted === 0 ? defaultShards : wanted);
  return Array.from({ length: count }, (_, number) => {
    const positions: number[] = [];
    for (let i = number; i < uris.length; i += count) positions.push(i);
    const own = positions.map((i) => uris[i] as string);
    const name = String(number).padStart(5, "0");
    return {
      number,
      name,
      key: own.length === 1 ? (own[0] as string) : `shard ${name} (${own.length} files)`,
      uris: own,
      positions,
    };
  });
}

/** How shards are worked on. `R` is what is known of a shard that is done. */
export interface ShardWork<R> {
  readonly shards: readonly Shard[];
  /** Shards at the same time. */
  readonly lanes: number;
  /** What an earlier attempt or job left of a shard. */
  load(shard: Shard, signal: AbortSignal): Promise<R | undefined>;
  /** May a shard that another job left like this stay, or is it to be tried again? */
  isFinal(record: R): boolean;
  run(shard: Shard, signal: AbortSignal): Promise<R>;
  /** Why an item counts as failed; undefined when it does not. */
  problem(record: R): { reason: string; message: string } | undefined;
  /** Told of each shard that ends, in whatever order; `before`: an earlier attempt or job did it. */
  onDone(record: R, before: boolean): void;
}

/**
 * Work on all shards, a few at a time, each an item of the job; returns what became of them in their order. A shard that an earlier attempt
 * recorded, or that another job left complete in the same folder, is not done again.
 */
export async function runShards<K extends JobKind, R>(
  context: JobContext<K>,
  work: ShardWork<R>,
): Promise<R[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const records = new Array<R>(work.shards.length);
  let next = 0;
  const lane = async () => {
    while (next < work.shards.length) {
      signal.throwIfAborted();
      const shard = work.shards[next++] as Shard;
      const { record, before } = await oneShard(context, work, shard, signal);
      records[shard.number] = record;
      work.onDone(record, before);
    }
  };
  const lanes = Array.from({ length: Math.min(work.lanes, work.shards.length) }, async () => {
    try {
      await lane();
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  // Every lane has ended before this does, so that nothing is still being written when the attempt is reported.
  const ends = await Promise.allSettled(lanes);
  if (ends.some((end) => end.status === "rejected")) throw context.signal.reason ?? stop.signal.reason;
  context.signal.throwIfAborted();
  return records;
}

async function oneShard<K extends JobKind, R>(
  context: JobContext<K>,
  work: ShardWork<R>,
  shard: Shard,
  signal: AbortSignal,
): Promise<{ record: R; before: boolean }> {
  const state = context.items.get(shard.key)?.state;
  const ended = state === ItemState.SUCCEEDED || state === ItemState.FAILED;
  const found = await work.load(shard, signal);
  if (found !== undefined && (ended || work.isFinal(found))) {
    if (!ended) await record(context, work, shard, found);
    return { record: found, before: true };
  }
  await context.record({ key: shard.key, outcome: "running" });
  const made = await work.run(shard, signal);
  await record(context, work, shard, made);
  return { record: made, before: false };
}

async function record<K extends JobKind, R>(
  context: JobContext<K>,
  work: ShardWork<R>,
  shard: Shard,
  made: R,
): Promise<void> {
  const error = work.problem(made);
  await context.record(
    error === undefined
      ? { key: shard.key, outcome: "succeeded" }
      : {
          key: shard.key,
          outcome: "failed",
          error: { reason: error.reason, message: error.message.slice(0, 4_000) },
        },
  );
}

/** Longest pause between two tries of a file, in ms. */
const maxPauseMs = 30_000;

/**
 * Try something that may pass (a network, a full disk) a few times, with pauses of 0.5 s, 1 s, 2 s, … What would repeat is thrown at once.
 */
export async function withRetries<T>(
  tries: number,
  signal: AbortSignal,
  run: (attempt: number) => Promise<T>,
  onRetry: (error: unknown, attempt: number) => void = () => undefined,
  firstPauseMs = 500,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run(attempt);
    } catch (error) {
      signal.throwIfAborted();
      if (attempt >= tries || !describeFailure(error).retryable) throw error;
      onRetry(error, attempt);
      await pause(Math.min(maxPauseMs, firstPauseMs * 2 ** (attempt - 1)), signal);
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** Do `count` things, `lanes` at a time; results in order. The first that fails stops the others from starting. */
export async function inLanes<T>(
  count: number,
  lanes: number,
  run: (index: number) => Promise<T>,
): Promise<T[]> {
  const results = new Array<T>(count);
  let next = 0;
  let failed: { error: unknown } | undefined;
  const lane = async () => {
    while (next < count && failed === undefined) {
      const index = next++;
      try {
        results[index] = await run(index);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, count) }, lane));
  if (failed !== undefined) throw failed.error;
  return results;
}
