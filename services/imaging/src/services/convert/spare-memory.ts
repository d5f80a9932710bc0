/**
 * Memory that is used again, from field to field: new memory for files, planes and labels costs more than what is done with them, and wakes
 * the collector. Each thread has its own.
 */
const spare: ArrayBuffer[] = [];
const lent = new WeakSet<ArrayBuffer>();

/** Kept at most: what two fields of some 600 × 600 pixels need, one of which waits for its files while the other is worked on. */
const keepBuffers = 24;
const keepBytes = 64 * 1024 * 1024;

/** `bytes` bytes or more; of what is there that which fits best. */
function take(bytes: number): ArrayBuffer {
  let best = -1;
  for (const [i, { byteLength }] of spare.entries())
    if (byteLength >= bytes && (best < 0 || byteLength < (spare[best] as ArrayBuffer).byteLength)) best = i;
  const [buffer = new ArrayBuffer(Math.ceil(bytes / 8) * 8)] = best < 0 ? [] : spare.splice(best, 1);
  lent.add(buffer);
  return buffer;
}

/** `length` bytes of whatever was there before. */
export function takeBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(take(length), 0, length);
}

/** `length` values of whatever was there before. */
export function takePlane(length: number): Uint16Array<ArrayBuffer> {
  return new Uint16Array(take(length * 2), 0, length);
}

/** `length` values of whatever was there before. */
export function takeLabels(length: number): Int32Array<ArrayBuffer> {
  return new Int32Array(take(length * 4), 0, length);
}

/** What was taken, or anything else, which is left alone; nobody may look at it afterwards. */
export function giveBack({ buffer }: ArrayBufferView): void {
  if (!(buffer instanceof ArrayBuffer) || !lent.delete(buffer)) return;
  spare.push(buffer);
  // The oldest go first, so that fields of another size find theirs after a while.
  let bytes = spare.reduce((sum, { byteLength }) => sum + byteLength, 0);
  while (spare.length > keepBuffers || bytes > keepBytes) bytes -= (spare.shift() as ArrayBuffer).byteLength;
}
