import { Hdf5Error } from "../errors.ts";

/** Chunks of one dataset that are kept in memory at most; about 24 bytes each. */
const maxChunks = 8 * 1024 * 1024;

/** How chunks tile a dataset. */
export interface Grid {
  shape: readonly number[];
  chunks: readonly number[];
  /** Chunks along each axis. */
  counts: readonly number[];
  /** Chunks that follow each other along an axis are this far apart in the count of all. */
  strides: readonly number[];
}

/** @throws Hdf5Error "too-large" when there are more than 2^53 chunks */
export function gridOf(shape: readonly number[], chunks: readonly number[], what: string): Grid {
  const counts = shape.map((dim, axis) => Math.ceil(dim / chunks[axis]!));
  const strides = stridesOf(counts);
  const total = counts.reduce((product, count) => product * count, 1);
  if (!Number.isSafeInteger(total)) throw new Hdf5Error("too-large", `${what}: more than 2^53 chunks`);
  return { shape, chunks, counts, strides };
}

export function stridesOf(counts: readonly number[]): number[] {
  const strides = counts.map(() => 1);
  for (let axis = counts.length - 2; axis >= 0; axis--)
    strides[axis] = strides[axis + 1]! * counts[axis + 1]!;
  return strides;
}

/** Stored chunks in the order of their number in the grid, row-major. */
export interface ChunkTable {
  numbers: Float64Array;
  /** Relative to the base address. */
  addresses: Float64Array;
  bytes: Float64Array;
  masks: Uint32Array;
  length: number;
}

/** Collects chunks in any order. */
export class ChunkCollector {
  readonly #what: string;
  #numbers = new Float64Array(64);
  #addresses = new Float64Array(64);
  #bytes = new Float64Array(64);
  #masks = new Uint32Array(64);
  #length = 0;
  #sorted = true;

  constructor(what: string) {
    this.#what = what;
  }

  add(number: number, address: number, bytes: number, mask: number): void {
    const at = this.#length;
    if (at === this.#numbers.length) this.#grow();
    if (at > 0 && this.#numbers[at - 1]! >= number) this.#sorted = false;
    this.#numbers[at] = number;
    this.#addresses[at] = address;
    this.#bytes[at] = bytes;
    this.#masks[at] = mask;
    this.#length = at + 1;
  }

  #grow(): void {
    const size = this.#length * 2;
    if (this.#length >= maxChunks) {
      throw new Hdf5Error("too-large", `${this.#what}: more than ${maxChunks} stored chunks`);
    }
    const grown = <T extends Float64Array | Uint32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#numbers = grown(this.#numbers, new Float64Array(size));
    this.#addresses = grown(this.#addresses, new Float64Array(size));
    this.#bytes = grown(this.#bytes, new Float64Array(size));
    this.#masks = grown(this.#masks, new Uint32Array(size));
  }

  /** @throws Hdf5Error "corrupt" when a chunk is stored twice */
  finish(): ChunkTable {
    const length = this.#length;
    if (!this.#sorted) this.#sort();
    return {
      numbers: this.#numbers.subarray(0, length),
      addresses: this.#addresses.subarray(0, length),
      bytes: this.#bytes.subarray(0, length),
      masks: this.#masks.subarray(0, length),
      length,
    };
  }

  #sort(): void {
    const numbers = this.#numbers;
    const order = Uint32Array.from({ length: this.#length }, (_, i) => i).sort(
      (a, b) => numbers[a]! - numbers[b]!,
    );
    for (let i = 1; i < order.length; i++) {
      if (numbers[order[i]!] === numbers[order[i - 1]!]) {
        throw new Hdf5Error("corrupt", `${this.#what}: chunk ${numbers[order[i]!]} is stored twice`);
      }
    }
    this.#numbers = Float64Array.from(order, (i) => numbers[i]!);
    this.#addresses = Float64Array.from(order, (i) => this.#addresses[i]!);
    this.#bytes = Float64Array.from(order, (i) => this.#bytes[i]!);
    this.#masks = Uint32Array.from(order, (i) => this.#masks[i]!);
  }
}

/** First entry whose chunk number is at least `number`. */
export function firstFrom(table: ChunkTable, number: number): number {
  let low = 0;
  let high = table.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (table.numbers[middle]! < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** First element of a chunk along each axis. */
export function chunkOffset(grid: Grid, number: number): number[] {
  let rest = number;
  return grid.strides.map((stride, axis) => {
    const at = Math.floor(rest / stride);
    rest -= at * stride;
    return at * grid.chunks[axis]!;
  });
}
