import type { ByteSource } from "../types.ts";

/** Half-open, in bytes. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A gap up to here is cheaper to read than another request: a round trip of 20 ms moves more at 10 MB/s. */
const REMOTE_GAP = 128 * 1024;
const LOCAL_GAP = 16 * 1024;
/** Requests do not grow beyond this, so that several run side by side. */
const MAX_REQUEST = 8 * 1024 * 1024;
const PARALLEL = 8;

export function gapOf(source: ByteSource): number {
  return source.remote ? REMOTE_GAP : LOCAL_GAP;
}

/** Memory that reads go to, taken up again: finding new memory for each costs more than the reading. */
const spare: Uint8Array<ArrayBuffer>[] = [];
const SPARES = 2;

function takeSpare(bytes: number): Uint8Array<ArrayBuffer> {
  const at = spare.findIndex((one) => one.length >= bytes);
  return at >= 0 ? spare.splice(at, 1)[0]! : new Uint8Array(Math.max(bytes, 1024 * 1024));
}

function giveBack(buffer: Uint8Array<ArrayBuffer>): void {
  if (buffer.length > MAX_REQUEST) return;
  if (spare.length === SPARES) spare.sort((a, b) => b.length - a.length).pop();
  spare.push(buffer);
}

/**
 * `use` gets the bytes of many ranges, in their order, near ones read together, a few requests at a time. The arrays may share buffers,
 * and are void when what `use` promised has come. Ranges must lie inside the source.
 */
export async function withRanges(
  source: ByteSource,
  ranges: readonly Range[],
  signal: AbortSignal | undefined,
  use: (pieces: readonly Uint8Array<ArrayBuffer>[]) => Promise<void>,
): Promise<void> {
  const held: Uint8Array<ArrayBuffer>[] = [];
  try {
    await use(await readRanges(source, ranges, signal, held));
  } finally {
    for (const buffer of held) giveBack(buffer);
  }
}

async function readRanges(
  source: ByteSource,
  ranges: readonly Range[],
  signal: AbortSignal | undefined,
  held: Uint8Array<ArrayBuffer>[],
): Promise<Uint8Array<ArrayBuffer>[]> {
  const order = Array.from(ranges.keys()).sort((a, b) => ranges[a]!.start - ranges[b]!.start);
  const gap = gapOf(source);
  const requests: { start: number; end: number; members: number[] }[] = [];
  for (const i of order) {
    const { start, end } = ranges[i]!;
    const last = requests.at(-1);
    if (
      last !== undefined &&
      start - last.end <= gap &&
      Math.max(end, last.end) - last.start <= MAX_REQUEST
    ) {
      last.end = Math.max(last.end, end);
      last.members.push(i);
    } else requests.push({ start, end, members: [i] });
  }
  const found = new Array<Uint8Array<ArrayBuffer>>(ranges.length);
  let next = 0;
  let failed = false;
  const lane = async () => {
    while (next < requests.length) {
      const { start, end, members } = requests[next++]!;
      if (failed) return;
      let room: Uint8Array<ArrayBuffer> | undefined;
      if (!source.remote) {
        const buffer = takeSpare(end - start);
        held.push(buffer);
        room = buffer.subarray(0, end - start);
      }
      const bytes = start === end ? new Uint8Array(0) : await source.read(start, end, signal, room);
      for (const i of members) {
        const range = ranges[i]!;
        found[i] = bytes.subarray(range.start - start, range.end - start);
      }
    }
  };
  // All lanes end before the memory they write to is given back.
  const lanes = Array.from({ length: Math.min(PARALLEL, requests.length) }, () =>
    lane().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  for (const ended of await Promise.allSettled(lanes)) if (ended.status === "rejected") throw ended.reason;
  return found;
}
