/** Anything indexable that a box of elements can be copied from or to. */
export type Elements = Uint8Array | Uint16Array | Uint32Array | unknown[];

export interface Layout {
  offset: number;
  strides: readonly number[];
}

/** Below this many elements a loop is faster than a call of set(). */
const shortRun = 16;

export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

export function product(shape: readonly number[]): number {
  let elements = 1;
  for (const side of shape) elements *= side;
  return elements;
}

/** Copies a box of `shape` elements between two strided layouts; both sides are of the same type. */
export function copyBox(
  from: Elements,
  source: Layout,
  to: Elements,
  target: Layout,
  shape: readonly number[],
): void {
  if (shape.includes(0)) return;
  const axes = shape.map((_, axis) => axis).filter((axis) => shape[axis] !== 1);
  let run = 1;
  while (axes.length > 0) {
    const axis = axes[axes.length - 1]!;
    if (source.strides[axis] !== run || target.strides[axis] !== run) break;
    run *= shape[axis]!;
    axes.pop();
  }
  // Where nothing lies together on both sides, the last axis is walked element by element.
  const inner = run === 1 ? axes.pop() : undefined;
  const [count, fromStep, toStep] =
    inner === undefined ? [run, 1, 1] : [shape[inner]!, source.strides[inner]!, target.strides[inner]!];
  const index = new Array<number>(axes.length).fill(0);
  let fromAt = source.offset;
  let toAt = target.offset;
  for (;;) {
    copyRun(from, fromAt, fromStep, to, toAt, toStep, count);
    let axis = axes.length - 1;
    for (; axis >= 0; axis--) {
      const side = axes[axis]!;
      fromAt += source.strides[side]!;
      toAt += target.strides[side]!;
      if (++index[axis]! < shape[side]!) break;
      fromAt -= source.strides[side]! * shape[side]!;
      toAt -= target.strides[side]! * shape[side]!;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

function copyRun(
  from: Elements,
  fromAt: number,
  fromStep: number,
  to: Elements,
  toAt: number,
  toStep: number,
  count: number,
): void {
  if (fromStep === 1 && toStep === 1 && count >= shortRun && !Array.isArray(to)) {
    to.set((from as Uint8Array).subarray(fromAt, fromAt + count), toAt);
    return;
  }
  for (let i = 0; i < count; i++) to[toAt + i * toStep] = from[fromAt + i * fromStep] as number;
}

/** Sets every element of a box to a pattern of `fill.length` elements (the innermost axis is a multiple of it). */
export function fillBox(
  to: Elements,
  target: Layout,
  shape: readonly number[],
  fill: ArrayLike<unknown>,
): void {
  const flat: unknown[] | Uint8Array = [];
  const last = shape.length - 1;
  for (let i = 0; i < shape[last]!; i++) flat.push(fill[i % fill.length]);
  const from = Array.isArray(to) ? flat : (to.constructor as typeof Uint8Array).from(flat as number[]);
  // Source strides of zero repeat the one row.
  copyBox(from, { offset: 0, strides: shape.map((_, axis) => (axis === last ? 1 : 0)) }, to, target, shape);
}

/**
 * Bytes as the widest elements that may be copied one by one (8-byte numbers as two halves: a copy through floats could change NaNs);
 * `per` of them make an item.
 */
export function asUnits(
  bytes: Uint8Array,
  itemBytes: number,
): { units: Uint8Array | Uint16Array | Uint32Array; per: number } {
  const unit = itemBytes % 4 === 0 ? 4 : itemBytes % 2 === 0 ? 2 : 1;
  if (unit === 1) return { units: bytes, per: itemBytes };
  const aligned = bytes.byteOffset % unit === 0 ? bytes : bytes.slice();
  const Maker = unit === 4 ? Uint32Array : Uint16Array;
  return {
    units: new Maker(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.length / unit),
    per: itemBytes / unit,
  };
}
