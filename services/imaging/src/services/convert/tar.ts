/** Blocks of a tar file. */
const block = 512;

/** Bytes of the entry of a file of `size` bytes. */
export function tarEntrySize(size: number): number {
  return block + Math.ceil(size / block) * block;
}

/**
 * Puts one file of a tar archive (POSIX ustar): header, content, padding. Owner, time and mode are fixed, so that equal content gives equal
 * archives. End an archive with {@link tarEnd}.
 *
 * @param entry `tarEntrySize` bytes of whatever was there before.
 * @throws RangeError for a name that ustar cannot hold: more than 255 bytes, or without a `/` to split it at.
 */
export function writeTarEntry(entry: Uint8Array, name: string, content: Uint8Array): void {
  const { prefix, rest } = splitName(name);
  const header = Buffer.alloc(block);
  header.write(rest, 0);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  // The checksum counts itself as blanks.
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\x0000", 257);
  header.write(prefix, 345);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  entry.set(header);
  entry.set(content, block);
  entry.fill(0, block + content.length);
}

/** The end of a tar archive. */
export const tarEnd = new Uint8Array(2 * block);

function splitName(name: string): { prefix: string; rest: string } {
  if (Buffer.byteLength(name) <= 100) return { prefix: "", rest: name };
  for (let cut = name.indexOf("/"); cut !== -1; cut = name.indexOf("/", cut + 1)) {
    const prefix = name.slice(0, cut);
    const rest = name.slice(cut + 1);
    if (Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(rest) <= 100) return { prefix, rest };
  }
  throw new RangeError(`expected a name that a tar archive can hold, found ${name}`);
}
