import { ZarrError } from "../errors.ts";
import type { AsyncStore, ByteRange, SyncStore } from "../types.ts";

export interface Request {
  key: string;
  range?: ByteRange;
}

/** A computation that asks for bytes: it yields requests and is handed the answers, so one code serves local and remote stores. */
export type Plan<T> = Generator<readonly Request[], T, readonly (Uint8Array | undefined)[]>;

export function runSync<T>(plan: Plan<T>, store: SyncStore): T {
  let step = plan.next();
  while (!step.done) {
    step = plan.next(step.value.map(({ key, range }) => store.get(key, range)));
  }
  return step.value;
}

/** Ranges of one object that lie this close are fetched in one request: a round trip costs more than the bytes between. */
const gapBytes = 64 * 1024;
const joinedBytes = 16 * 1024 * 1024;
const parallelRequests = 16;

export async function runAsync<T>(plan: Plan<T>, store: AsyncStore, signal?: AbortSignal): Promise<T> {
  let step = plan.next();
  while (!step.done) {
    step = plan.next(await fetchAll(step.value, store, signal));
  }
  return step.value;
}

async function fetchAll(
  requests: readonly Request[],
  store: AsyncStore,
  signal: AbortSignal | undefined,
): Promise<(Uint8Array | undefined)[]> {
  const answers: (Uint8Array | undefined)[] = new Array(requests.length);
  const jobs = join(requests);
  let next = 0;
  const work = async () => {
    while (next < jobs.length) {
      const job = jobs[next++]!;
      if (signal?.aborted)
        throw new ZarrError("cancelled", "reading was cancelled", { cause: signal.reason });
      const bytes = await store.get(job.key, job.range, { signal });
      for (const { at, start, end } of job.parts) {
        answers[at] = start === undefined ? bytes : bytes?.subarray(start, end);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallelRequests, jobs.length) }, work));
  return answers;
}

interface Job {
  key: string;
  range?: ByteRange;
  /** Which answers it gives; `start` and `end` within the fetched bytes where several share them. */
  parts: { at: number; start?: number; end?: number }[];
}

function join(requests: readonly Request[]): Job[] {
  const jobs: Job[] = [];
  const ranged: { at: number; key: string; start: number; end: number }[] = [];
  for (const [at, { key, range }] of requests.entries()) {
    if (range !== undefined && "start" in range) ranged.push({ at, key, ...range });
    else jobs.push({ key, ...(range === undefined ? {} : { range }), parts: [{ at }] });
  }
  ranged.sort((a, b) => (a.key === b.key ? a.start - b.start : a.key < b.key ? -1 : 1));
  let open:
    | { key: string; start: number; end: number; parts: { at: number; start: number; end: number }[] }
    | undefined;
  for (const { at, key, start, end } of ranged) {
    const joins =
      open !== undefined &&
      open.key === key &&
      start - open.end <= gapBytes &&
      end - open.start <= joinedBytes;
    if (open === undefined || !joins) {
      open = { key, start, end, parts: [] };
      const job = open;
      jobs.push({
        key,
        get range() {
          return { start: job.start, end: job.end };
        },
        parts: job.parts,
      });
    }
    open.end = Math.max(open.end, end);
    open.parts.push({ at, start: start - open.start, end: end - open.start });
  }
  return jobs;
}
