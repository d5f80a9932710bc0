import { deflateBound } from "@cytomesh/codecs";
import { type EncodedChunk, encodeChunk, type Pipeline } from "../codecs/encode-chunk.ts";

/**
 * Chunks that wait to be encoded, in memory that threads share. Who wants one claims it by compare-and-exchange, so the thread that
 * made the chunks takes part, and none of them needs a turn of its event loop.
 */
export interface Board {
  /** [0] counts chunks put up, for who waits; [1] is 1 when no more will come. */
  signal: Int32Array<SharedArrayBuffer>;
  slots: Slot[];
}

interface Slot {
  /** State and parameters, see `field`. */
  fields: Int32Array<SharedArrayBuffer>;
  input: Uint8Array<SharedArrayBuffer>;
  output: Uint8Array<SharedArrayBuffer>;
}

export const field = {
  state: 0,
  inputBytes: 1,
  outputBytes: 2,
  filterMask: 3,
  shuffle: 4,
  deflateLevel: 5,
  lzf: 6,
  fletcher32: 7,
  elementBytes: 8,
} as const;

export const state = { free: 0, waiting: 1, claimed: 2, ready: 3, failed: 4 } as const;

/** Chunks above this are encoded by the thread that has them. */
export const slotBytes = 1024 * 1024;

export function createBoard(slots: number): Board {
  return {
    signal: new Int32Array(new SharedArrayBuffer(8)),
    slots: Array.from({ length: slots }, () => ({
      fields: new Int32Array(new SharedArrayBuffer(64)),
      input: new Uint8Array(new SharedArrayBuffer(slotBytes)),
      output: new Uint8Array(new SharedArrayBuffer(deflateBound(slotBytes))),
    })),
  };
}

/** Puts a chunk up; the slot must be free. */
export function putUp(board: Board, slot: Slot, raw: Uint8Array, pipeline: Pipeline): void {
  slot.input.set(raw);
  slot.fields[field.inputBytes] = raw.length;
  slot.fields[field.shuffle] = Number(pipeline.shuffle);
  slot.fields[field.deflateLevel] = pipeline.deflateLevel;
  slot.fields[field.lzf] = Number(pipeline.lzf);
  slot.fields[field.fletcher32] = Number(pipeline.fletcher32);
  slot.fields[field.elementBytes] = pipeline.elementBytes;
  Atomics.store(slot.fields, field.state, state.waiting);
  Atomics.add(board.signal, 0, 1);
  Atomics.notify(board.signal, 0);
}

/** Encodes the chunk of a slot if nobody else does. @returns whether it was free to take */
export function claim(slot: Slot): boolean {
  const before = Atomics.compareExchange(slot.fields, field.state, state.waiting, state.claimed);
  if (before !== state.waiting) return false;
  let after: number = state.failed;
  try {
    const { bytes, filterMask } = encodeSlot(slot);
    slot.output.set(bytes);
    slot.fields[field.outputBytes] = bytes.length;
    slot.fields[field.filterMask] = filterMask;
    after = state.ready;
  } finally {
    Atomics.store(slot.fields, field.state, after);
    Atomics.notify(slot.fields, field.state);
  }
  return true;
}

/** The chunk stays in its slot, so that who put it up can still encode it where another thread failed. */
export function encodeSlot({ fields, input }: Slot): EncodedChunk {
  const raw = input.subarray(0, fields[field.inputBytes]);
  return encodeChunk(raw, {
    shuffle: fields[field.shuffle] === 1,
    deflateLevel: fields[field.deflateLevel]!,
    lzf: fields[field.lzf] === 1,
    fletcher32: fields[field.fletcher32] === 1,
    elementBytes: fields[field.elementBytes]!,
  });
}

/** What a helping thread does until the board is closed. */
export function work(board: Board): void {
  while (Atomics.load(board.signal, 1) === 0) {
    const seen = Atomics.load(board.signal, 0);
    let worked = false;
    for (const slot of board.slots) worked = claim(slot) || worked;
    if (!worked) Atomics.wait(board.signal, 0, seen, 1_000);
  }
}

export function closeBoard(board: Board): void {
  Atomics.store(board.signal, 1, 1);
  Atomics.add(board.signal, 0, 1);
  Atomics.notify(board.signal, 0);
}

export type { Slot };
