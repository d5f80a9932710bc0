import { open } from "node:fs/promises";

const signatures: readonly (readonly [name: string, at: number, bytes: string])[] = [
  ["a TIFF", 0, "II*\0"],
  ["a TIFF", 0, "MM\0*"],
  ["a BigTIFF", 0, "II+\0"],
  ["a BigTIFF", 0, "MM\0+"],
  ["a PNG", 0, "\x89PNG"],
  ["a JPEG", 0, "\xff\xd8\xff"],
  ["a Zeiss CZI", 0, "ZISRAWFILE"],
  ["a Nikon ND2", 0, "\xda\xce\xbe\x0a"],
  ["an HDF5 file", 0, "\x89HDF"],
  ["a JPEG 2000", 4, "jP  "],
  ["a DICOM file", 128, "DICM"],
  ["a ZIP archive", 0, "PK\x03\x04"],
  ["a gzip file", 0, "\x1f\x8b"],
  ["a GIF", 0, "GIF8"],
  ["a WebP or other RIFF file", 0, "RIFF"],
  ["a PDF", 0, "%PDF"],
];

/** What a file looks like from its first bytes, for a message. */
export async function sniffFile(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(132), 0, 132, 0);
    const head = buffer.subarray(0, bytesRead).toString("latin1");
    if (head === "") return "an empty file";
    const known = signatures.find(([, at, bytes]) => head.startsWith(bytes, at));
    return known?.[0] ?? `a file that begins with the bytes ${buffer.subarray(0, 8).toString("hex")}`;
  } finally {
    await file.close();
  }
}
