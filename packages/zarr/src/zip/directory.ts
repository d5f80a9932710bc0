import { ZarrError } from "../errors.ts";

/** One member as the central directory tells of it. */
export interface ZipMember {
  name: string;
  /** 0 stored, 8 deflated. */
  method: number;
  crc32: number;
  /** Bytes in the archive and bytes of the content. */
  storedBytes: number;
  bytes: number;
  /** Where its local header begins. */
  headerAt: number;
}

/** Bytes of an archive at any place. `read` returns exactly the range, or throws. */
export interface ZipBytes {
  path: string;
  size: number;
  read(start: number, end: number): Uint8Array;
}

/** APPNOTE.TXT 4.3. */
const signature = { end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50, central: 0x02014b50 };
const sizes = { end: 22, locator64: 20, end64: 56, central: 46, comment: 0xffff };
const utf8Flag = 0x800;
const encryptedFlags = 0x1 | 0x40 | 0x2000;
const methods: Record<number, string> = {
  9: "Deflate64",
  12: "bzip2",
  14: "LZMA",
  93: "Zstandard",
  95: "xz",
};

/**
 * The members by name; of two with one name the last counts, as in Python's zipfile.
 *
 * @throws ZarrError "not-zip" | "corrupt" | "unsupported" | "refused-path"
 */
export function readDirectory(file: ZipBytes): Map<string, ZipMember> {
  const { count, start, bytes, shift } = findDirectory(file);
  if (count * sizes.central > bytes) {
    throw new ZarrError("corrupt", `${file.path}: ${count} members in a directory of ${bytes} bytes`);
  }
  const data = file.read(start, start + bytes);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const members = new Map<string, ZipMember>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + sizes.central > data.length || view.getUint32(at, true) !== signature.central) {
      throw new ZarrError("corrupt", `${file.path}: no entry for member ${i} of ${count}`);
    }
    const nameEnd = at + sizes.central + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > data.length)
      throw new ZarrError("corrupt", `${file.path}: member ${i} goes beyond the directory`);
    const flags = view.getUint16(at + 8, true);
    const name = memberName(data.subarray(at + sizes.central, nameEnd), (flags & utf8Flag) !== 0);
    checkName(name, file.path);
    const member = {
      name,
      method: view.getUint16(at + 10, true),
      crc32: view.getUint32(at + 16, true),
      ...longSizes(view, at, nameEnd, extraEnd, `${file.path}: ${name}`),
    };
    member.headerAt += shift;
    checkMember(member, flags, file, start);
    members.set(name, member);
    at = next;
  }
  return members;
}

function checkMember(member: ZipMember, flags: number, file: ZipBytes, directoryAt: number): void {
  const where = `${file.path}: ${member.name}`;
  if (flags & encryptedFlags) throw new ZarrError("unsupported", `${where} is encrypted`);
  if (member.method !== 0 && member.method !== 8) {
    const method = methods[member.method] ?? `method ${member.method}`;
    throw new ZarrError("unsupported", `${where} is compressed with ${method}; store or deflate it`);
  }
  const { storedBytes, bytes, headerAt } = member;
  if (
    headerAt < 0 ||
    headerAt + storedBytes > directoryAt ||
    (member.method === 0 && storedBytes !== bytes)
  ) {
    throw new ZarrError(
      "corrupt",
      `${where}: ${storedBytes} bytes (${bytes} of content) at ${headerAt} do not fit the archive`,
    );
  }
}

/** A name that could leave the folder it is unpacked into is no name of a hierarchy either. */
function checkName(name: string, path: string): void {
  const climbs = name.split("/").includes("..");
  if (
    climbs ||
    name.startsWith("/") ||
    name.includes("\\") ||
    name.includes("\0") ||
    /^[A-Za-z]:/.test(name)
  ) {
    throw new ZarrError(
      "refused-path",
      `${path}: the member ${JSON.stringify(name)} leads out of the archive`,
    );
  }
}

/** Without the UTF-8 flag names are code page 437; only ASCII and what is valid UTF-8 all the same occur in practice. */
function memberName(bytes: Uint8Array, utf8: boolean): string {
  try {
    return new TextDecoder("utf-8", { fatal: !utf8 }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString("latin1");
  }
}

/** Sizes and place, from the ZIP64 extra field where the 32-bit ones are full. */
function longSizes(
  view: DataView,
  at: number,
  extraStart: number,
  extraEnd: number,
  where: string,
): Pick<ZipMember, "bytes" | "storedBytes" | "headerAt"> {
  const values = {
    bytes: view.getUint32(at + 24, true),
    storedBytes: view.getUint32(at + 20, true),
    headerAt: view.getUint32(at + 42, true),
  };
  const disk = view.getUint16(at + 34, true);
  if (disk !== 0 && disk !== 0xffff)
    throw new ZarrError("unsupported", `${where} lies on another disk (${disk})`);
  const full = (["bytes", "storedBytes", "headerAt"] as const).filter((key) => values[key] === 0xffffffff);
  if (full.length === 0) return values;
  for (let extra = extraStart; extra + 4 <= extraEnd; ) {
    const size = view.getUint16(extra + 2, true);
    if (view.getUint16(extra, true) === 1 && size >= full.length * 8 && extra + 4 + size <= extraEnd) {
      for (const [i, key] of full.entries())
        values[key] = safe(view.getBigUint64(extra + 4 + i * 8, true), where);
      return values;
    }
    extra += 4 + size;
  }
  return values;
}

/** `shift`: bytes that stand before the archive, as in self-extracting ones. */
function findDirectory(file: ZipBytes): { count: number; start: number; bytes: number; shift: number } {
  const tailFrom = Math.max(0, file.size - sizes.end - sizes.comment - sizes.locator64);
  const tail = file.read(tailFrom, file.size);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  let at = tail.length - sizes.end;
  for (; at >= 0; at--) {
    if (view.getUint32(at, true) !== signature.end) continue;
    if (at + sizes.end + view.getUint16(at + 20, true) <= tail.length) break;
  }
  if (at < 0)
    throw new ZarrError("not-zip", `${file.path}: no end of a zip directory; the file is cut off or no zip`);
  const found = {
    count: view.getUint16(at + 10, true),
    bytes: view.getUint32(at + 12, true),
    start: view.getUint32(at + 16, true),
  };
  let disks = view.getUint16(at + 4, true) + view.getUint16(at + 6, true);
  let endAt = tailFrom + at;
  const locatorAt = at - sizes.locator64;
  if (locatorAt >= 0 && view.getUint32(locatorAt, true) === signature.locator64) {
    const full = found.count === 0xffff || found.bytes === 0xffffffff || found.start === 0xffffffff;
    const place = safe(view.getBigUint64(locatorAt + 8, true), file.path);
    const long = readEnd64(file, place, tailFrom + locatorAt);
    if (long !== undefined) {
      Object.assign(found, { count: long.count, bytes: long.bytes, start: long.start });
      disks = long.disks;
      endAt = long.at;
    } else if (full) throw new ZarrError("corrupt", `${file.path}: the ZIP64 directory end is missing`);
  }
  if (disks !== 0) throw new ZarrError("unsupported", `${file.path}: an archive of several disks`);
  const shift = endAt - found.bytes - found.start;
  if (shift < 0) {
    throw new ZarrError(
      "corrupt",
      `${file.path}: a directory of ${found.bytes} bytes at ${found.start} does not fit`,
    );
  }
  return { ...found, start: found.start + shift, shift };
}

function readEnd64(file: ZipBytes, place: number, locatorAt: number) {
  // Behind bytes that were put in front, the record still stands directly before its locator.
  for (const at of [place, locatorAt - sizes.end64]) {
    if (at < 0 || at + sizes.end64 > locatorAt) continue;
    const bytes = file.read(at, at + sizes.end64);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.getUint32(0, true) !== signature.end64) continue;
    return {
      at,
      disks: view.getUint32(16, true) + view.getUint32(20, true),
      count: safe(view.getBigUint64(32, true), file.path),
      bytes: safe(view.getBigUint64(40, true), file.path),
      start: safe(view.getBigUint64(48, true), file.path),
    };
  }
  return undefined;
}

function safe(value: bigint, where: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new ZarrError("corrupt", `${where}: a size or place of ${value}`);
}
