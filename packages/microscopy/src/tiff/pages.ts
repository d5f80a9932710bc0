import { MicroscopyError } from "../errors.ts";
import { type Ifd, readIfd, type TiffFile } from "./ifd.ts";

/** The chain of directories of a file, walked as far as somebody asks. */
export interface Pages {
  /** A directory by its number, or undefined past the end. */
  at(index: number, signal?: AbortSignal): Promise<Ifd | undefined>;
  /** Walks to the end. */
  count(signal?: AbortSignal): Promise<number>;
  /** Why the chain ended early, if it did. */
  readonly warnings: readonly string[];
}

/** Directories fetched ahead where the last ones lay evenly. */
const AHEAD = 32;

/**
 * A damaged link ends the chain with a warning; a damaged first directory is an error. Each directory is visited once: a chain that
 * bites its tail ends there.
 */
export function createPages(file: TiffFile): Pages {
  const ifds: Ifd[] = [];
  const seen = new Set<number>();
  const warnings: string[] = [];
  let next = file.firstIfd;
  let walking: Promise<void> = Promise.resolve();

  function ended(): boolean {
    return next === 0;
  }

  async function step(signal: AbortSignal | undefined): Promise<void> {
    if (seen.has(next)) {
      warnings.push(`the chain of directories returns to ${next} after ${ifds.length} pages`);
      next = 0;
      return;
    }
    if (ifds.length >= file.limits.maxPages)
      throw new MicroscopyError("too-large", `${file.uri}: more than ${file.limits.maxPages} pages`);
    seen.add(next);
    try {
      const ifd = await readIfd(file, next, signal);
      ifds.push(ifd);
      next = ifd.next;
    } catch (error) {
      if (ifds.length === 0 || !(error instanceof MicroscopyError)) throw error;
      if (error.tag !== "truncated" && error.tag !== "too-large" && error.tag !== "corrupt") throw error;
      warnings.push(`the chain of directories breaks off after ${ifds.length} pages: ${error.message}`);
      next = 0;
    }
  }

  /** Where the next directories should lie, if they lie as far from one another as the last three. */
  async function ahead(signal: AbortSignal | undefined): Promise<void> {
    const n = ifds.length;
    if (n < 3 || n % AHEAD !== 3) return;
    const stride = next - ifds[n - 1]!.offset;
    if (stride <= 0 || ifds[n - 1]!.offset - ifds[n - 2]!.offset !== stride) return;
    const bytes = file.big ? 528 : 318;
    const loads: Promise<void>[] = [];
    for (let i = 0; i < AHEAD; i++) {
      const at = next + i * stride;
      if (at >= file.size) break;
      if (file.blocks.peek(at, Math.min(file.size, at + bytes)) === undefined)
        loads.push(file.blocks.load(at, Math.min(file.size, at + bytes), signal));
    }
    await Promise.all(loads);
  }

  async function walkTo(index: number, signal: AbortSignal | undefined): Promise<void> {
    const mine = walking.then(async () => {
      while (!ended() && ifds.length <= index) {
        signal?.throwIfAborted();
        await ahead(signal);
        await step(signal);
      }
    });
    walking = mine.catch(() => {});
    return mine;
  }

  return {
    async at(index, signal) {
      if (ifds.length <= index && !ended()) await walkTo(index, signal);
      return ifds[index];
    },
    async count(signal) {
      if (!ended()) await walkTo(Number.POSITIVE_INFINITY, signal);
      return ifds.length;
    },
    warnings,
  };
}
