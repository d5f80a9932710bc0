import { ZarrError } from "../errors.ts";
import type { Region } from "../types.ts";
import { asUnits, copyBox, type Elements, fillBox, product, rowMajor } from "./copy.ts";

/** A decoded chunk: bytes in the machine's order, or one JavaScript value for each element. */
export type Decoded = Uint8Array | unknown[];

/** Where a region is put together, chunk by chunk. */
export interface Target {
  /** Takes the part of a chunk (row-major, of `shape`, beginning at `start` of the array) that lies in the region. */
  put(chunk: Decoded, start: readonly number[], shape: readonly number[]): void;
  /** The memory that a chunk fills, where it lies in one piece of the region; then it may be decoded there and `put` is not needed. */
  room(start: readonly number[], shape: readonly number[]): Uint8Array | undefined;
  /** The same for a chunk that is not there. */
  fill(start: readonly number[], shape: readonly number[]): void;
  result: Decoded;
}

/**
 * @param itemBytes undefined for variable length: then the result is an array of values
 * @throws ZarrError "too-large"
 */
export function makeTarget(
  region: Region,
  itemBytes: number | undefined,
  fill: Uint8Array | string,
  maxBytes: number,
  where: string,
): Target {
  const shape = region.start.map((start, axis) => region.end[axis]! - start);
  const elements = product(shape);
  // A string takes at least a pointer.
  const bytes = elements * (itemBytes ?? 8);
  if (bytes > maxBytes) {
    throw new ZarrError(
      "too-large",
      `${where}: [${shape}] takes ${bytes} bytes, the limit is ${maxBytes}; ask for a smaller region`,
    );
  }
  if (itemBytes === undefined) {
    const values = new Array<unknown>(elements).fill(typeof fill === "string" ? fill : new Uint8Array(fill));
    return target(values, values, 1, (chunk) => chunk as unknown[], [fill], region, shape);
  }
  const result = new Uint8Array(new ArrayBuffer(bytes));
  if (itemBytes === 0) return { result, put: () => {}, room: () => undefined, fill: () => {} };
  const { units, per } = asUnits(result, itemBytes);
  return target(
    result,
    units,
    per,
    (chunk) => asUnits(chunk as Uint8Array, itemBytes).units,
    asUnits(fill as Uint8Array, itemBytes).units,
    region,
    shape,
  );
}

function target(
  result: Decoded,
  to: Elements,
  per: number,
  unitsOf: (chunk: Decoded) => Elements,
  fill: ArrayLike<unknown>,
  region: Region,
  shape: readonly number[],
): Target {
  const toStrides = [...rowMajor(shape).map((stride) => stride * per), 1];
  const zeros = Array.from(fill).every((unit) => unit === 0);
  /** The common box, from the start of the region. */
  const clip = (start: readonly number[], chunk: readonly number[]) => {
    const low = start.map((from, axis) => Math.max(from, region.start[axis]!));
    const size = low.map((from, axis) =>
      Math.max(0, Math.min(start[axis]! + chunk[axis]!, region.end[axis]!) - from),
    );
    const offset = low.reduce((sum, from, axis) => sum + (from - region.start[axis]!) * toStrides[axis]!, 0);
    return { low, size: [...size, per], to: { offset, strides: toStrides } };
  };
  return {
    result,
    put(chunk, start, chunkShape) {
      const box = clip(start, chunkShape);
      const strides = [...rowMajor(chunkShape).map((stride) => stride * per), 1];
      const offset = box.low.reduce((sum, from, axis) => sum + (from - start[axis]!) * strides[axis]!, 0);
      copyBox(unitsOf(chunk), { offset, strides }, to, box.to, box.size);
    },
    room(start, chunkShape) {
      if (Array.isArray(result)) return undefined;
      const box = clip(start, chunkShape);
      const whole = chunkShape.every(
        (side, axis) => box.size[axis] === side && (axis === 0 || side === shape[axis]),
      );
      if (!whole) return undefined;
      const unitBytes = (to as Uint8Array).BYTES_PER_ELEMENT;
      const from = box.to.offset * unitBytes;
      return result.subarray(from, from + product(box.size) * unitBytes);
    },
    fill(start, chunkShape) {
      if (zeros) return; // memory begins as zeros, and each element is set at most once
      const box = clip(start, chunkShape);
      if (!box.size.includes(0)) fillBox(to, box.to, box.size, fill);
    },
  };
}
