import * as fs from "node:fs";
import * as zlib from "node:zlib";
import { ZarrError } from "../errors.ts";

/** 1980-01-01, the earliest that a zip can say: archives depend on nothing but their content. */
const date = 0x21;
const max32 = 0xffffffff;
const max16 = 0xffff;
/** Most members are small metadata: they go to disk together. */
const flushBytes = 256 * 1024;

export interface ZipWriter {
  /** Stores a member uncompressed: chunks are compressed already. */
  add(name: string, content: Uint8Array): void;
  /** Writes the directory; the file stays open. */
  end(): void;
}

/** Writes an archive (APPNOTE.TXT) to an open file, with ZIP64 where sizes ask for it. */
export function zipWriter(fd: number): ZipWriter {
  const directory: Buffer[] = [];
  const names = new Set<string>();
  let at = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const flush = (): void => {
    writeAll(fd, Buffer.concat(held));
    held = [];
    heldBytes = 0;
  };
  const put = (bytes: Uint8Array): void => {
    at += bytes.length;
    if (bytes.length >= flushBytes) {
      flush();
      writeAll(fd, bytes);
      return;
    }
    held.push(bytes);
    heldBytes += bytes.length;
    if (heldBytes >= flushBytes) flush();
  };
  return {
    add(name, content) {
      if (names.has(name)) throw new ZarrError("invalid-argument", `the member ${name} is written twice`);
      names.add(name);
      const member = { name: Buffer.from(name), crc: zlib.crc32(content), size: content.length, at };
      put(localHeader(member));
      put(content);
      directory.push(centralHeader(member));
    },
    end() {
      const start = at;
      for (const entry of directory) put(entry);
      put(directoryEnd(directory.length, at - start, start));
      flush();
    },
  };
}

interface Member {
  name: Buffer;
  crc: number;
  size: number;
  at: number;
}

/** What both headers share: version, flags, method, time, date, checksum, sizes, lengths of name and extra field. */
function common({ name, crc, size }: Member, extra: Buffer): Buffer {
  const out = Buffer.alloc(26);
  out.writeUInt16LE(extra.length > 0 ? 45 : 20, 0);
  out.writeUInt16LE(name.every((byte) => byte < 0x80) ? 0 : 0x800, 2);
  out.writeUInt16LE(date, 8);
  out.writeUInt32LE(crc, 10);
  out.writeUInt32LE(Math.min(size, max32), 14);
  out.writeUInt32LE(Math.min(size, max32), 18);
  out.writeUInt16LE(name.length, 22);
  out.writeUInt16LE(extra.length, 24);
  return out;
}

function longField(values: readonly number[]): Buffer {
  if (values.length === 0) return Buffer.alloc(0);
  const out = Buffer.alloc(4 + values.length * 8);
  out.writeUInt16LE(1, 0);
  out.writeUInt16LE(values.length * 8, 2);
  for (const [i, value] of values.entries()) out.writeBigUInt64LE(BigInt(value), 4 + i * 8);
  return out;
}

function localHeader(member: Member): Buffer {
  const extra = longField(member.size >= max32 ? [member.size, member.size] : []);
  return Buffer.concat([Buffer.from("504b0304", "hex"), common(member, extra), member.name, extra]);
}

function centralHeader(member: Member): Buffer {
  const long = member.size >= max32 ? [member.size, member.size] : [];
  const extra = longField(member.at >= max32 ? [...long, member.at] : long);
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE((0o100644 << 16) >>> 0, 6);
  rest.writeUInt32LE(Math.min(member.at, max32), 10);
  // Made by 2.0 on Unix, so that the permissions count.
  const head = Buffer.from("504b01021403", "hex");
  return Buffer.concat([head, common(member, extra), rest, member.name, extra]);
}

function directoryEnd(count: number, bytes: number, start: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(count, max16), 8);
  end.writeUInt16LE(Math.min(count, max16), 10);
  end.writeUInt32LE(Math.min(bytes, max32), 12);
  end.writeUInt32LE(Math.min(start, max32), 16);
  if (count < max16 && bytes < max32 && start < max32) return end;
  const long = Buffer.alloc(76);
  long.writeUInt32LE(0x06064b50, 0);
  long.writeBigUInt64LE(44n, 4);
  long.writeUInt16LE(45, 12);
  long.writeUInt16LE(45, 14);
  for (const [i, value] of [count, count, bytes, start].entries())
    long.writeBigUInt64LE(BigInt(value), 24 + i * 8);
  long.writeUInt32LE(0x07064b50, 56);
  long.writeBigUInt64LE(BigInt(start + bytes), 64);
  long.writeUInt32LE(1, 72);
  return Buffer.concat([long, end]);
}

/** writeSync may write less than it is given. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done, bytes.length - done);
}
