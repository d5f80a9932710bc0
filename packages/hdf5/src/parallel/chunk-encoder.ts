import { type EncodedChunk, encodeChunk, type Pipeline } from "../codecs/encode-chunk.ts";
import {
  type Board,
  claim,
  closeBoard,
  createBoard,
  encodeSlot,
  field,
  putUp,
  type Slot,
  slotBytes,
  state,
} from "./board.ts";
import { giveBack, type PoolWorker, takeWorkers } from "./pool.ts";

/** Threads cost some 50 ms to start: files below this are written before they would be there. */
const threadsFromBytes = 4 * 1024 * 1024;
const slotsPerThread = 4;
/** A thread that holds a chunk for so long is taken for dead; the chunk is then encoded here. */
const patienceMs = 30_000;

/** Takes an encoded chunk; its bytes are overwritten afterwards. */
export type Take = (chunk: EncodedChunk) => void;

/**
 * Encodes chunks and gives them back in the order in which they came. With more than one thread, chunks are put on a board that other
 * threads and this one work off; at most `4 x threads` are held. All of it is synchronous: when the board is full, this thread encodes
 * too, and waits only for chunks that others have begun.
 */
export class ChunkEncoder {
  readonly #threads: number;
  #bytes = 0;
  #board: Board | undefined;
  #workers: PoolWorker[] = [];
  /** Slots in use, oldest first, with who wants the result. */
  #queue: { slot: Slot; take: Take }[] = [];
  #next = 0;
  /** Set when a thread did not come back: the rest is encoded here. */
  #alone = false;

  constructor(threads: number) {
    this.#threads = threads;
  }

  push(raw: Uint8Array, pipeline: Pipeline, take: Take): void {
    this.#bytes += raw.length;
    const small = this.#threads < 2 || this.#bytes < threadsFromBytes;
    if (small || this.#alone || raw.length > slotBytes || !hasWork(pipeline)) {
      this.settle();
      take(encodeChunk(raw, pipeline));
      return;
    }
    const board = this.#start();
    if (this.#queue.length === board.slots.length) this.#takeOldest();
    const slot = board.slots[this.#next++ % board.slots.length]!;
    putUp(board, slot, raw, pipeline);
    this.#queue.push({ slot, take });
    while (this.#queue.length > 0 && isDone(this.#queue[0]!.slot)) this.#takeOldest();
  }

  #start(): Board {
    if (this.#board === undefined) {
      this.#board = createBoard(this.#threads * slotsPerThread);
      this.#workers = takeWorkers(this.#threads - 1);
      for (const worker of this.#workers) worker.post({ kind: "encode", board: this.#board });
    }
    return this.#board;
  }

  /** Until every chunk that came is given back. */
  settle(): void {
    while (this.#queue.length > 0) this.#takeOldest();
  }

  #takeOldest(): void {
    const { slot, take } = this.#queue[0]!;
    const limit = performance.now() + patienceMs;
    while (!isDone(slot)) {
      // Oldest first; the others are being worked on when none is left.
      if (this.#queue.some((entry) => claim(entry.slot))) continue;
      Atomics.wait(slot.fields, field.state, state.claimed, 1_000);
      if (performance.now() > limit) break;
    }
    this.#queue.shift();
    if (Atomics.load(slot.fields, field.state) === state.ready) {
      const bytes = slot.output.subarray(0, slot.fields[field.outputBytes]);
      take({ bytes, filterMask: slot.fields[field.filterMask]! });
      Atomics.store(slot.fields, field.state, state.free);
      return;
    }
    // Given up or failed: encoding it here works or says why. The slot is not used again, its thread may still write to it.
    this.#alone = true;
    take(encodeSlot(slot));
  }

  /** Ends the work of the other threads; chunks still on the board are lost. */
  close(): void {
    if (this.#board !== undefined) closeBoard(this.#board);
    if (this.#alone) for (const worker of this.#workers) worker.end();
    else giveBack(this.#workers);
    this.#workers = [];
    this.#board = undefined;
    this.#queue = [];
  }
}

function isDone(slot: Slot): boolean {
  const now = Atomics.load(slot.fields, field.state);
  return now === state.ready || now === state.failed;
}

function hasWork(pipeline: Pipeline): boolean {
  return pipeline.shuffle || pipeline.deflateLevel > 0 || pipeline.lzf || pipeline.fletcher32;
}
