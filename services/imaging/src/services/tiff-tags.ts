import { type FileHandle, open } from "node:fs/promises";

/** What decides whether libvips reads the pixels of a TIFF page right. Absent tags have their default of TIFF 6.0. */
export interface TiffPage {
  readonly compression: number;
  readonly photometric: number;
  readonly planar: number;
  readonly samples: number;
  /** First entry: 0 unspecified, 1 associated alpha, 2 unassociated alpha; -1 when there is none. */
  readonly extraSamples: number;
}

/** Entries in a page at most: real files have some dozens. */
const maxEntries = 4_096;

/**
 * The tags of the first `maxPages` pages of a TIFF or BigTIFF; undefined for another file. The list ends early where the file is broken, as
 * libvips will say what is wrong. Reads the page headers alone.
 */
export async function readTiffPages(path: string, maxPages: number): Promise<TiffPage[] | undefined> {
  const file = await open(path, "r");
  try {
    const head = await bytesAt(file, 0, 16);
    const order = head.subarray(0, 2).toString("latin1");
    if (head.length < 8 || (order !== "II" && order !== "MM")) return undefined;
    const view = viewOf(head);
    const little = order === "II";
    const version = view.getUint16(2, little);
    if (version !== 42 && version !== 43) return undefined;
    const big = version === 43;
    if (big && head.length < 16) return [];
    const pages: TiffPage[] = [];
    const seen = new Set<number>();
    let at = big ? Number(view.getBigUint64(8, little)) : view.getUint32(4, little);
    while (at !== 0 && pages.length < maxPages && !seen.has(at)) {
      seen.add(at);
      const page = await readPage(file, at, little, big);
      if (page === undefined) break;
      pages.push(page.tags);
      at = page.next;
    }
    return pages;
  } finally {
    await file.close();
  }
}

async function readPage(
  file: FileHandle,
  at: number,
  little: boolean,
  big: boolean,
): Promise<{ tags: TiffPage; next: number } | undefined> {
  const countSize = big ? 8 : 2;
  const entrySize = big ? 20 : 12;
  const head = await bytesAt(file, at, countSize);
  if (head.length < countSize) return undefined;
  const count = big ? Number(viewOf(head).getBigUint64(0, little)) : viewOf(head).getUint16(0, little);
  if (count > maxEntries) return undefined;
  const body = await bytesAt(file, at + countSize, count * entrySize + (big ? 8 : 4));
  if (body.length < count * entrySize + (big ? 8 : 4)) return undefined;
  const view = viewOf(body);
  const values = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const entry = i * entrySize;
    const type = view.getUint16(entry + 2, little);
    const value = entry + (big ? 12 : 8);
    // SHORT and LONG are all that these tags may have, and their first value lies in the entry itself.
    if (type === 3) values.set(view.getUint16(entry, little), view.getUint16(value, little));
    else if (type === 4) values.set(view.getUint16(entry, little), view.getUint32(value, little));
  }
  const end = count * entrySize;
  return {
    tags: {
      compression: values.get(259) ?? 1,
      photometric: values.get(262) ?? 1,
      planar: values.get(284) ?? 1,
      samples: values.get(277) ?? 1,
      extraSamples: values.get(338) ?? -1,
    },
    next: big ? Number(view.getBigUint64(end, little)) : view.getUint32(end, little),
  };
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (!Number.isSafeInteger(position)) return Buffer.alloc(0);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const compressions: Readonly<Record<number, string>> = {
  1: "none",
  2: "CCITT RLE",
  3: "CCITT fax 3",
  4: "CCITT fax 4",
  5: "LZW",
  6: "old-style JPEG",
  7: "JPEG",
  8: "deflate",
  32773: "PackBits",
  32946: "deflate",
  33003: "JPEG 2000",
  33005: "JPEG 2000",
  34712: "JPEG 2000",
  34887: "LERC",
  34925: "LZMA",
  50000: "ZSTD",
  50001: "WebP",
};

/** Schemes that the prebuilt libvips undoes, each checked pixel by pixel. */
const readable = new Set([1, 2, 3, 4, 5, 7, 8, 32773, 32946]);

/** Why libvips would fail at a page, or read it wrong without a word; undefined when it reads it right. */
export function tiffProblem(page: TiffPage): string | undefined {
  // libvips 8.18 answers tiles of JPEG 2000 with zeros, and separate planes that are not RGB with rows out of place.
  if (!readable.has(page.compression))
    return `compression ${compressions[page.compression] ?? "unknown"} (${page.compression}); this version reads uncompressed, LZW, deflate, PackBits, fax and JPEG TIFF, and others such as ZSTD come later: rewrite the file with one of the former`;
  if (page.planar === 2 && page.samples > 1 && page.photometric !== 2)
    return `${page.samples} samples in separate planes (PlanarConfiguration 2); write them as pages, or interleaved`;
  if (page.extraSamples === 1)
    return "colours multiplied with alpha (ExtraSamples 1), whose own values are lost; write the file without alpha";
  return undefined;
}
