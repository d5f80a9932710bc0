const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));

/**
 * Bob Jenkins' lookup3 hash with initial value 0: the metadata checksum of HDF5 (format specification 3.0, appendix on checksums;
 * algorithm published by its author in the public domain).
 */
export function lookup3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let left = bytes.length;
  let a = (0xdeadbeef + left) | 0;
  let b = a;
  let c = a;
  let at = 0;
  for (; left > 12; left -= 12, at += 12) {
    a = (a + view.getUint32(at, true)) | 0;
    b = (b + view.getUint32(at + 4, true)) | 0;
    c = (c + view.getUint32(at + 8, true)) | 0;
    a = ((a - c) ^ rotate(c, 4)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 6)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 8)) | 0;
    b = (b + a) | 0;
    a = ((a - c) ^ rotate(c, 16)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 19)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 4)) | 0;
    b = (b + a) | 0;
  }
  if (left === 0) return c >>> 0;
  const tail = new Uint8Array(12);
  tail.set(bytes.subarray(at, at + left));
  const rest = new DataView(tail.buffer);
  a = (a + rest.getUint32(0, true)) | 0;
  b = (b + rest.getUint32(4, true)) | 0;
  c = (c + rest.getUint32(8, true)) | 0;
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  return c >>> 0;
}
