import { MicroscopyError } from "../errors.ts";
import { decodeBytes } from "../libvips.ts";
import { fitSegment, fits, type Visible } from "./fit.ts";
import type { PageLayout } from "./layout.ts";

/**
 * A segment of JPEG data → 8-bit samples: its stream put together with the tables of the page, and told what its components mean by an
 * Adobe marker, as TIFF says that in a tag of its own. YCbCr becomes RGB.
 *
 * @throws MicroscopyError `corrupt`, `unsupported`.
 */
export async function decodeJpegSegment(
  layout: PageLayout,
  raw: Uint8Array<ArrayBuffer>,
  rows: number,
  visible: Visible,
  samples: number,
  tables: Uint8Array<ArrayBuffer> | undefined,
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { segmentWidth, bits, photometricTag } = layout;
  if (bits !== 8 || (samples !== 1 && samples !== 3))
    throw new MicroscopyError("unsupported", `${where}: JPEG of ${samples} samples of ${bits} bits`);
  const stream = assemble(raw, tables, samples === 3 ? (photometricTag === 6 ? 1 : 0) : undefined, where);
  const frame = frameOf(stream, where);
  // Declared sizes decide what libvips allocates, so they are looked at before.
  if (!fits(frame, visible, layout))
    throw new MicroscopyError(
      "corrupt",
      `${where}: expected a JPEG of ${segmentWidth} × ${rows} pixels, found ${frame.width} × ${frame.height}`,
    );
  if (frame.components !== samples)
    throw new MicroscopyError(
      "corrupt",
      `${where}: expected a JPEG of ${samples} components, found ${frame.components}`,
    );
  const pixels = await decodeBytes(
    stream,
    { space: samples === 1 ? "b-w" : "srgb", depth: "uchar", maxPixels: frame.width * frame.height },
    where,
  );
  if (pixels.channels !== samples)
    throw new MicroscopyError(
      "corrupt",
      `${where}: expected ${samples} channels of JPEG, got ${pixels.channels}`,
    );
  return fitSegment(pixels, samples, segmentWidth, rows);
}

function assemble(
  raw: Uint8Array<ArrayBuffer>,
  tables: Uint8Array<ArrayBuffer> | undefined,
  transform: number | undefined,
  where: string,
): Uint8Array<ArrayBuffer> {
  if (raw[0] !== 0xff || raw[1] !== 0xd8)
    throw new MicroscopyError("corrupt", `${where}: JPEG data without a start`);
  const adobe =
    transform === undefined
      ? []
      : [0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, transform];
  const shared =
    tables === undefined || tables.length < 4 ? new Uint8Array(0) : tables.subarray(2, endOf(tables));
  const stream = new Uint8Array(2 + adobe.length + shared.length + raw.length - 2);
  stream.set([0xff, 0xd8, ...adobe]);
  stream.set(shared, 2 + adobe.length);
  stream.set(raw.subarray(2), 2 + adobe.length + shared.length);
  return stream;
}

/** Where the final EOI of abbreviated tables begins. */
function endOf(tables: Uint8Array): number {
  for (let at = tables.length - 2; at >= 2; at--)
    if (tables[at] === 0xff && tables[at + 1] === 0xd9) return at;
  return tables.length;
}

/** Size and components of the first frame header. */
export function frameOf(
  stream: Uint8Array,
  where: string,
): { width: number; height: number; components: number; bits: number } {
  let at = 2;
  while (at + 10 <= stream.length) {
    if (stream[at] !== 0xff) break;
    const marker = stream[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const word = (offset: number) => (stream[at + offset]! << 8) | stream[at + offset + 1]!;
      return { height: word(5), width: word(7), components: stream[at + 9]!, bits: stream[at + 4]! };
    }
    at += 2 + ((stream[at + 2]! << 8) | stream[at + 3]!);
  }
  throw new MicroscopyError("corrupt", `${where}: JPEG data without a frame header`);
}
