import { type BinGroup, createRoom, type Extraction, type MatrixRoom } from "@cytomesh/omics-store";
import type { TaskPool } from "@cytomesh/service-kit";
import type { OpenInput, WriteInput, WrittenBin } from "./extract-task.ts";

export interface WriteBinsOptions extends OpenInput, Pick<WriteInput, "features" | "outDir" | "lineage"> {
  readonly signal?: AbortSignal;
  /** A bin is there. */
  onBin?(bin: WrittenBin): void;
  /** Cells dealt since the last call. */
  onCells?(cells: number): void;
}

/**
 * Write bins as `.h5ad` with all threads of a pool: as many bins at a time as fit into `memoryBytes` together; for each such group the
 * threads first share the pages of the warehouse, so that each is decoded once, then the bins. The bytes do not depend on the threads.
 */
export async function writeBins(pool: TaskPool, o: WriteBinsOptions): Promise<void> {
  const failed = new AbortController();
  const signal = o.signal === undefined ? failed.signal : AbortSignal.any([o.signal, failed.signal]);
  const { ingestDirs, curriculumDir, bins, memoryBytes } = o;
  const input: OpenInput = { ingestDirs, curriculumDir, bins, memoryBytes };
  const extraction = await pool.run<Extraction>("open", input, { signal });
  const room = takeRoom(extraction.roomBytes);
  const open = (number: number) => pool.run<BinGroup>("group", { extraction, number, room }, { signal });
  /** All of them, also when one fails: nobody writes into the shared memory after that. */
  const all = async <T>(tasks: Promise<T>[]): Promise<void> => {
    for (const task of tasks) task.catch((error) => failed.abort(error));
    await Promise.allSettled(tasks);
    // The first failure is the cause; what the others report is its echo.
    signal.throwIfAborted();
  };
  let next: Promise<BinGroup> | undefined = extraction.groups.length > 0 ? open(0) : undefined;
  for (let number = 0; next !== undefined; number++) {
    const { heads, dealing } = await next;
    const onProgress = (cells: number) => o.onCells?.(cells);
    const threads = Array.from({ length: pool.threads }, () =>
      pool.run("deal", dealing, { signal, onProgress }),
    );
    await all(threads);
    const written = heads.map(async (head, i) => {
      const write: WriteInput = {
        head,
        matrix: dealing.matrices[i]!,
        features: o.features,
        outDir: o.outDir,
        threads: threadsFor(i, heads.length, pool.threads),
        lineage: o.lineage,
      };
      const bin = await pool.run<WrittenBin>("write", write, { signal });
      o.onBin?.(bin);
    });
    // Read while the last bins are written; `write` and `group` use different memory.
    next = number + 1 < extraction.groups.length ? open(number + 1) : undefined;
    next?.catch(() => undefined);
    await all(written);
  }
  keepRoom(room);
}

/** A room of an earlier extraction, kept for the next one a while: what is given up stays until every thread has collected its garbage. */
let kept: MatrixRoom | undefined;
let timer: NodeJS.Timeout | undefined;
const keptMs = 5_000;

function takeRoom(bytes: number): MatrixRoom {
  const room = kept;
  kept = undefined;
  return room !== undefined && room.indices.byteLength >= bytes ? room : createRoom(bytes);
}

function keepRoom(room: MatrixRoom): void {
  kept = room;
  clearTimeout(timer);
  timer = setTimeout(() => {
    kept = undefined;
  }, keptMs).unref();
}

/** Bins that are left when fewer are left than threads share these; otherwise each has one. */
function threadsFor(bin: number, bins: number, threads: number): number {
  const rest = bins % threads;
  return bin < bins - rest ? 1 : Math.floor(threads / rest);
}
