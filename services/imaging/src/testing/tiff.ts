/** A page of a generated TIFF: `samples` interleaved values per pixel, row by row. */
export interface TestPage {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array | Uint16Array | Uint32Array | Int32Array;
  readonly samples?: number;
  /** Say another compression than none, without compressing. */
  readonly compression?: number;
  readonly planar?: number;
  readonly extraSamples?: number;
  readonly photometric?: number;
  /** 256 colours for `photometric` 3: all red, all green, all blue. */
  readonly palette?: Uint16Array;
}

/** An uncompressed little-endian TIFF of one strip per page; `description` goes to the first page. */
export function tiffOf(pages: readonly TestPage[], description = ""): Buffer {
  const parts: Buffer[] = [Buffer.from("II*\0\0\0\0\0", "latin1")];
  let at = 8;
  let link = 4;
  const append = (bytes: Buffer): number => {
    const start = at;
    parts.push(bytes);
    at += bytes.length;
    return start;
  };
  const links: [position: number, target: number][] = [];
  for (const page of pages) {
    const samples = page.samples ?? 1;
    const bytes = Buffer.from(page.pixels.buffer, page.pixels.byteOffset, page.pixels.byteLength);
    const strip = append(bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]));
    const bits = Buffer.alloc(2 * samples);
    for (let i = 0; i < samples; i++) bits.writeUInt16LE(8 * page.pixels.BYTES_PER_ELEMENT, 2 * i);
    const bitsAt = samples > 2 ? append(bits) : bits.readUIntLE(0, 2 * samples);
    const rgb = page.photometric === 2;
    const entries: [tag: number, type: 2 | 3 | 4, count: number, value: number][] = [
      [256, 4, 1, page.width],
      [257, 4, 1, page.height],
      [258, 3, samples, bitsAt],
      [259, 3, 1, page.compression ?? 1],
      [262, 3, 1, page.photometric ?? 1],
      [273, 4, 1, strip],
      [277, 3, 1, samples],
      [278, 4, 1, page.height],
      [279, 4, 1, bytes.length],
      [284, 3, 1, page.planar ?? 1],
    ];
    if (description !== "" && links.length === 0) {
      const text = Buffer.from(`${description}\0`, "latin1");
      entries.splice(5, 0, [270, 2, text.length, append(text)]);
    }
    const extra = samples - (rgb ? 3 : 1);
    if (extra > 2) throw new RangeError("the generator writes at most two extra samples");
    if (extra > 0) entries.push([338, 3, extra, page.extraSamples ?? 0]);
    if (page.palette !== undefined)
      entries.push([320, 3, page.palette.length, append(Buffer.from(page.palette.buffer))]);
    if (page.pixels instanceof Int32Array) entries.push([339, 3, 1, 2]);
    const ifd = Buffer.alloc(2 + 12 * entries.length + 4);
    ifd.writeUInt16LE(entries.length, 0);
    for (const [i, [tag, type, count, value]] of entries.entries()) {
      ifd.writeUInt16LE(tag, 2 + 12 * i);
      ifd.writeUInt16LE(type, 4 + 12 * i);
      ifd.writeUInt32LE(count, 6 + 12 * i);
      ifd.writeUInt32LE(value, 10 + 12 * i);
    }
    const start = append(ifd);
    links.push([link, start]);
    link = start + ifd.length - 4;
  }
  const file = Buffer.concat(parts);
  for (const [position, target] of links) file.writeUInt32LE(target, position);
  return file;
}
