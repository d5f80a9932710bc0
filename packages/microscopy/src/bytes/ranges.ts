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

/**
 * The bytes of many ranges, in their order, near ones read together, a few requests at a time. The arrays may share buffers.
 * Ranges must lie inside the source.
 */
export async function readRanges(
  source: ByteSource,
  ranges: readonly Range[],
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>[]> {
  if (ranges.length === 1) {
    const { start, end } = ranges[0]!;
    return [start === end ? new Uint8Array(0) : await source.read(start, end, signal)];
  }
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
  const lane = async () => {
    while (next < requests.length) {
      const { start, end, members } = requests[next++]!;
      const bytes = start === end ? new Uint8Array(0) : await source.read(start, end, signal);
      for (const i of members) {
        const range = ranges[i]!;
        found[i] = bytes.subarray(range.start - start, range.end - start);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, requests.length) }, lane));
  return found;
}
