/** Memory for planes that is used again: new memory for every resized field costs more than the resizing, and wakes the collector. */
const spare: ArrayBuffer[] = [];

/** Kept at most, for each thread. */
const keepBuffers = 8;
const keepBytes = 32 * 1024 * 1024;

/** `length` values of whatever was there before. */
export function takePlane(length: number): Uint16Array<ArrayBuffer> {
  const at = spare.findIndex((buffer) => buffer.byteLength >= length * 2);
  const [buffer] = at < 0 ? [] : spare.splice(at, 1);
  return new Uint16Array(buffer ?? new ArrayBuffer(length * 2), 0, length);
}

/** What was taken; nobody may look at it afterwards. */
export function giveBackPlane(plane: Uint16Array): void {
  const { buffer } = plane;
  if (buffer instanceof ArrayBuffer && buffer.byteLength <= keepBytes && spare.length < keepBuffers)
    spare.push(buffer);
}
