import * as fs from "node:fs";
import * as zlib from "node:zlib";
import { fromSystemError, ZarrError } from "../errors.ts";
import { readDirectory, type ZipBytes, type ZipMember } from "./directory.ts";

/** An archive open for reading; calls are synchronous and throw ZarrError. */
export interface Zip {
  readonly path: string;
  /** Member names in the order of the directory, folders ("a/") left out. */
  names(): string[];
  /** Bytes of a member's content; undefined when there is no such member. */
  size(name: string): number | undefined;
  /** The content, or a range of it (clamped); undefined when there is no such member. The checksum is checked on whole reads. */
  read(name: string, range?: { start: number; end: number }): Uint8Array | undefined;
  close(): void;
  /** `close`, for `using`. */
  [Symbol.dispose](): void;
}

/** How an archive is read; nothing has to be said. */
export interface ZipOptions {
  /** Largest member that is read into memory, in bytes, default 1 GiB. Declared and real sizes are both held to it. */
  maxBytes?: number;
}

const localHeader = { signature: 0x04034b50, bytes: 30 };

/**
 * Opens a zip archive (a path, or its bytes) for random access: ZIP64, stored and deflated members. Of two members with one name the
 * last counts. Nothing is unpacked to disk.
 *
 * @throws ZarrError "file-not-found" | "permission-denied" | "not-zip" | "corrupt" | "unsupported" | "refused-path"
 */
export function openZip(source: string | Uint8Array, options: ZipOptions = {}): Zip {
  const maxBytes = options.maxBytes ?? 1024 ** 3;
  const { file, close } =
    typeof source === "string" ? openFile(source) : { file: inMemory(source), close: () => {} };
  let members: Map<string, ZipMember>;
  try {
    members = readDirectory(file);
  } catch (error) {
    close();
    throw error;
  }
  let open = true;
  const closeOnce = () => {
    if (open) close();
    open = false;
  };
  const member = (name: string): ZipMember | undefined => {
    if (!open) throw new ZarrError("closed", `${file.path} is closed`);
    return members.get(name);
  };
  return {
    path: file.path,
    names: () => [...members.keys()].filter((name) => !name.endsWith("/")),
    size: (name) => member(name)?.bytes,
    read(name, range) {
      const found = member(name);
      if (found === undefined) return undefined;
      const start = Math.min(range?.start ?? 0, found.bytes);
      const end = Math.max(start, Math.min(range?.end ?? found.bytes, found.bytes));
      if (found.method === 0 && range !== undefined) return readStored(file, found, start, end, maxBytes);
      const content = readWhole(file, found, maxBytes);
      return range === undefined ? content : content.subarray(start, end);
    },
    close: closeOnce,
    [Symbol.dispose]: closeOnce,
  };
}

function readStored(
  file: ZipBytes,
  member: ZipMember,
  start: number,
  end: number,
  maxBytes: number,
): Uint8Array {
  checkSize(file, member, end - start, maxBytes);
  const at = dataStart(file, member);
  return file.read(at + start, at + end);
}

function readWhole(file: ZipBytes, member: ZipMember, maxBytes: number): Uint8Array {
  checkSize(file, member, member.bytes, maxBytes);
  const at = dataStart(file, member);
  const stored = file.read(at, at + member.storedBytes);
  let content = stored;
  if (member.method === 8) {
    try {
      const maxOutputLength = Math.max(1, member.bytes);
      const inflated = zlib.inflateRawSync(stored, {
        maxOutputLength,
        chunkSize: Math.max(1024, Math.min(member.bytes + 64, 1 << 24)),
      });
      content = new Uint8Array(inflated.buffer, inflated.byteOffset, inflated.byteLength);
    } catch (cause) {
      throw new ZarrError(
        "corrupt",
        `${file.path}: ${member.name} cannot be inflated: ${(cause as Error).message}`,
        { cause },
      );
    }
  }
  if (content.length !== member.bytes || zlib.crc32(content) !== member.crc32) {
    throw new ZarrError(
      "corrupt",
      `${file.path}: ${member.name} is damaged: ${content.length} bytes, size or checksum is wrong`,
    );
  }
  return content;
}

function checkSize(file: ZipBytes, member: ZipMember, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw new ZarrError(
    "too-large",
    `${file.path}: ${member.name} has ${bytes} bytes, the limit is ${maxBytes}`,
  );
}

/** The local header has name and extra field of its own, of other lengths than the directory's. */
function dataStart(file: ZipBytes, member: ZipMember): number {
  const where = `${file.path}: ${member.name}`;
  const { headerAt } = member;
  if (headerAt + localHeader.bytes > file.size)
    throw new ZarrError("corrupt", `${where}: its header lies beyond the end`);
  const header = file.read(headerAt, headerAt + localHeader.bytes);
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  if (view.getUint32(0, true) !== localHeader.signature)
    throw new ZarrError("corrupt", `${where}: no header at ${headerAt}`);
  const at = headerAt + localHeader.bytes + view.getUint16(26, true) + view.getUint16(28, true);
  if (at + member.storedBytes > file.size)
    throw new ZarrError("corrupt", `${where}: ends beyond the archive`);
  return at;
}

function inMemory(bytes: Uint8Array): ZipBytes {
  return { path: "(bytes)", size: bytes.length, read: (start, end) => bytes.subarray(start, end) };
}

function openFile(path: string): { file: ZipBytes; close(): void } {
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, "r");
    const stats = fs.fstatSync(fd);
    if (!stats.isFile()) throw new ZarrError("not-zip", `${path}: not a regular file`);
    const opened = fd;
    const read = (start: number, end: number): Uint8Array => {
      const out = new Uint8Array(end - start);
      let done = 0;
      while (done < out.length) {
        const count = fs.readSync(opened, out, done, out.length - done, start + done);
        if (count === 0)
          throw new ZarrError("corrupt", `${path}: ends at ${start + done}, before byte ${end}`);
        done += count;
      }
      return out;
    };
    return { file: { path, size: stats.size, read }, close: () => fs.closeSync(opened) };
  } catch (error) {
    if (fd !== undefined) fs.closeSync(fd);
    throw fromSystemError(error, path, "read");
  }
}
