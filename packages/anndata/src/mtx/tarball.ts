import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { AnnDataError } from "../errors.ts";
import { isMtxPart } from "./find-files.ts";
import { textChunks } from "./open-text.ts";

const blockBytes = 512;
/** A tarball of a matrix has three files; one with very many more is something else. */
const maxMembers = 10_000;
const maxNameBytes = 64 * 1024;

/** Is this a tar archive, maybe gzipped? Told by the name of a plain one or of a gzip: the magic is inside of the compression. */
export function looksLikeTarball(path: string): boolean {
  if (!/\.(tar|tar\.gz|tgz)$/i.test(path)) return false;
  const head = Buffer.alloc(blockBytes);
  const file = openSync(path, "r");
  try {
    const length = readSync(file, head, 0, blockBytes, 0);
    return (
      (head[0] === 0x1f && head[1] === 0x8b) ||
      (length === blockBytes && head.toString("latin1", 257, 262) === "ustar")
    );
  } finally {
    closeSync(file);
  }
}

/**
 * Unpack the parts of a Matrix Market triple from a tarball into a temporary folder: only regular files with such names are written, under their
 * base names, so nothing in the archive decides where.
 *
 * @returns the folder, to be removed by the caller
 * @throws AnnDataError "not-anndata" no matrix in it, or several; "corrupt" | "truncated" | "too-large"
 */
export async function unpackMtx(
  path: string,
  o: { maxUnpackedBytes: number; tempDir?: string | undefined },
): Promise<string> {
  const folder = mkdtempSync(join(o.tempDir ?? tmpdir(), "cytomesh-tar-"));
  try {
    const folders = new Set<string>();
    let unpacked = 0;
    await eachMember(textChunks(path), path, (name, size) => {
      const base = basename(name);
      if (!isMtxPart(base)) return undefined;
      folders.add(dirname(name));
      if (folders.size > 1)
        throw new AnnDataError(
          "not-anndata",
          `${path} holds matrices in several folders (${[...folders].join(", ")}); unpack it and name the one to read`,
        );
      unpacked += size;
      if (unpacked > o.maxUnpackedBytes)
        throw new AnnDataError("too-large", `${path} unpacks to more than ${o.maxUnpackedBytes} bytes`);
      return join(folder, base);
    });
    if (folders.size === 0)
      throw new AnnDataError("not-anndata", `${path} holds no matrix.mtx, barcodes.tsv and features.tsv`);
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Walks the members of a tar stream (POSIX ustar with pax and GNU long names) and writes those that `target` gives a path. */
async function eachMember(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  target: (name: string, size: number) => string | undefined,
): Promise<void> {
  const reader = byteReader(chunks);
  const damaged = (what: string) => new AnnDataError("corrupt", `${path} is no sound tar archive: ${what}`);
  let longName: string | undefined;
  for (let members = 0; ; members++) {
    if (members > maxMembers)
      throw new AnnDataError("not-anndata", `${path} has more than ${maxMembers} members`);
    const header = await reader.take(blockBytes);
    if (header === undefined || header.every((byte) => byte === 0)) return;
    if (header.length < blockBytes)
      throw new AnnDataError("truncated", `${path} ends inside of a header; copy or download it again`);
    if (checksum(header) !== octal(header, 148, 8))
      throw damaged(`member ${members + 1} has a wrong checksum`);
    const size = octal(header, 124, 12);
    if (!Number.isSafeInteger(size)) throw damaged(`member ${members + 1} has the size ${size}`);
    const type = String.fromCharCode(header[156] as number);
    if (type === "L" || type === "x") {
      if (size > maxNameBytes) throw damaged(`a name of ${size} bytes`);
      const body = (await reader.take(padded(size))) ?? new Uint8Array(0);
      const content = Buffer.from(body.subarray(0, size)).toString("utf8");
      const pax = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(content)?.[1];
      longName = type === "L" ? content.replace(/\0.*$/s, "") : (pax ?? longName);
      continue;
    }
    const name = longName ?? nameOf(header);
    longName = undefined;
    const regular = type === "0" || type === "\0";
    const to = regular ? target(name, size) : undefined;
    await copyBody(reader, size, to, path);
  }
}

async function copyBody(
  reader: ByteReader,
  size: number,
  to: string | undefined,
  path: string,
): Promise<void> {
  const file = to === undefined ? undefined : openSync(to, "wx");
  try {
    let left = padded(size);
    let wanted = size;
    while (left > 0) {
      const piece = await reader.some(left);
      if (piece === undefined)
        throw new AnnDataError("truncated", `${path} ends inside of a member; copy or download it again`);
      const useful = piece.subarray(0, Math.min(wanted, piece.length));
      for (let done = 0; file !== undefined && done < useful.length; ) done += writeSync(file, useful, done);
      wanted -= useful.length;
      left -= piece.length;
    }
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

interface ByteReader {
  /** Exactly so many bytes, fewer at the end, undefined after it. */
  take(count: number): Promise<Uint8Array | undefined>;
  /** At least one byte and at most so many. */
  some(most: number): Promise<Uint8Array | undefined>;
}

function byteReader(chunks: AsyncIterable<Uint8Array>): ByteReader {
  const iterator = chunks[Symbol.asyncIterator]();
  let held: Uint8Array = new Uint8Array(0);
  const some = async (most: number): Promise<Uint8Array | undefined> => {
    while (held.length === 0) {
      const next = await iterator.next();
      if (next.done === true) return undefined;
      held = next.value;
    }
    const piece = held.subarray(0, most);
    held = held.subarray(piece.length);
    return piece;
  };
  return {
    some,
    async take(count) {
      const parts: Uint8Array[] = [];
      let length = 0;
      while (length < count) {
        const piece = await some(count - length);
        if (piece === undefined) break;
        parts.push(piece);
        length += piece.length;
      }
      return length === 0 ? undefined : Buffer.concat(parts);
    },
  };
}

const padded = (size: number) => Math.ceil(size / blockBytes) * blockBytes;

function octal(header: Uint8Array, at: number, length: number): number {
  // GNU writes sizes above 8 GiB in base 256, with the top bit set.
  if (((header[at] as number) & 0x80) !== 0) {
    let value = (header[at] as number) & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + (header[at + i] as number);
    return value;
  }
  const text = Buffer.from(header.subarray(at, at + length))
    .toString("latin1")
    .replace(/[\0 ]+$/, "")
    .trim();
  return text === "" ? 0 : /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

function checksum(header: Uint8Array): number {
  let sum = 8 * 32;
  for (let i = 0; i < blockBytes; i++) if (i < 148 || i >= 156) sum += header[i] as number;
  return sum;
}

function nameOf(header: Uint8Array): string {
  const field = (at: number, length: number) =>
    Buffer.from(header.subarray(at, at + length))
      .toString("utf8")
      .replace(/\0.*$/s, "");
  const prefix = field(257, 5) === "ustar" ? field(345, 155) : "";
  return prefix === "" ? field(0, 100) : `${prefix}/${field(0, 100)}`;
}
