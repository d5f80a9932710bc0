import { MicroscopyError } from "../errors.ts";
import { decodeBytes } from "../libvips.ts";
import { type PageLayout, packedRowBytes } from "./layout.ts";

/**
 * A segment of CCITT fax data → packed bits. libtiff decodes it, inside libvips, as the one strip of a small TIFF.
 *
 * @throws MicroscopyError `corrupt`, `unsupported`.
 */
export async function decodeFax(
  layout: PageLayout,
  raw: Uint8Array<ArrayBuffer>,
  rows: number,
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { segmentWidth, bits, samples, compression, faxOptions } = layout;
  if (bits !== 1 || samples !== 1)
    throw new MicroscopyError("unsupported", `${where}: fax data of ${samples} samples of ${bits} bits`);
  const tags: [number, number, number][] = [
    [256, 4, segmentWidth],
    [257, 4, rows],
    [258, 3, 1],
    [259, 3, compression],
    // As if 1 were white: the bits come as they are, and who reads them knows what they mean.
    [262, 3, 1],
    [273, 4, 8],
    [277, 3, 1],
    [278, 4, rows],
    [279, 4, raw.length],
    [compression === 4 ? 293 : 292, 4, faxOptions],
  ];
  const pad = raw.length % 2;
  const file = new Uint8Array(8 + raw.length + pad + 2 + tags.length * 12 + 4);
  const view = new DataView(file.buffer);
  file.set([0x49, 0x49, 42, 0]);
  view.setUint32(4, 8 + raw.length + pad, true);
  file.set(raw, 8);
  let at = 8 + raw.length + pad;
  view.setUint16(at, tags.length, true);
  at += 2;
  for (const [tag, type, value] of tags.sort((a, b) => a[0] - b[0])) {
    view.setUint16(at, tag, true);
    view.setUint16(at + 2, type, true);
    view.setUint32(at + 4, 1, true);
    view.setUint32(at + 8, value, true);
    at += 12;
  }
  const wish = { space: "b-w", depth: "uchar", maxPixels: segmentWidth * rows } as const;
  const pixels = await decodeBytes(file, wish, where);
  const rowBytes = packedRowBytes(layout);
  const packed = new Uint8Array(rowBytes * rows);
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < segmentWidth; x++)
      if (pixels.data[(y * segmentWidth + x) * pixels.channels]! > 127)
        packed[y * rowBytes + (x >> 3)]! |= 0x80 >> (x & 7);
  return packed;
}
