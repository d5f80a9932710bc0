/** Base64 of the big-endian checksum, as GCS writes it. */
export function crc32cBase64(crc: number): string {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(crc);
  return out.toString("base64");
}
