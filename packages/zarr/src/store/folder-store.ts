import * as fs from "node:fs";
import { join, sep } from "node:path";
import { fromSystemError, ZarrError } from "../errors.ts";
import type { ByteRange, SyncStore } from "../types.ts";

const absent = new Set(["ENOENT", "ENOTDIR", "EISDIR"]);

/**
 * A hierarchy in a folder. Symbolic links inside it are followed as long as they stay inside; others are refused.
 *
 * @param maxObjectBytes largest object or range that is read into memory
 */
export function folderStore(path: string, maxObjectBytes: number): SyncStore {
  const root = fs.realpathSync(path);
  /** Folders known to lie inside, by the path they are asked for. */
  const checked = new Map<string, string | undefined>([["", root]]);
  let last: { key: string; fd: number; size: number } | undefined;
  let open = true;

  const inside = (real: string, key: string): string => {
    if (real === root || real.startsWith(root + sep)) return real;
    throw new ZarrError("refused-path", `${path}: ${key} is a symbolic link out of the hierarchy`);
  };

  /** The real path of a folder inside; undefined when it does not exist. */
  const folder = (key: string): string | undefined => {
    if (checked.has(key)) return checked.get(key);
    const real = tolerate(() => inside(fs.realpathSync(join(root, key)), key), join(path, key));
    // What is not there may come; what is there stays.
    if (real !== undefined) checked.set(key, real);
    return real;
  };

  const openObject = (key: string): { fd: number; size: number } | undefined => {
    if (last?.key === key) return last;
    const cut = key.lastIndexOf("/");
    const parent = folder(cut < 0 ? "" : key.slice(0, cut));
    if (parent === undefined) return undefined;
    const name = join(parent, key.slice(cut + 1));
    const opened = tolerate(() => {
      const stats = fs.lstatSync(name);
      const target = stats.isSymbolicLink() ? inside(fs.realpathSync(name), key) : name;
      // NOFOLLOW and NONBLOCK: neither a link put there meanwhile nor a pipe may hold us.
      const fd = fs.openSync(
        target,
        fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK,
      );
      const found = fs.fstatSync(fd);
      if (found.isFile()) return { fd, size: found.size };
      fs.closeSync(fd);
      if (found.isDirectory()) return undefined;
      throw new ZarrError("refused-path", `${path}: ${key} is no regular file`);
    }, name);
    if (opened === undefined) return undefined;
    if (last !== undefined) fs.closeSync(last.fd);
    last = { key, ...opened };
    return last;
  };

  return {
    get(key, range) {
      if (!open) throw new ZarrError("closed", `${path} is closed`);
      const object = openObject(key);
      if (object === undefined) return undefined;
      const [start, end] = clamp(range, object.size);
      if (end - start > maxObjectBytes) {
        throw new ZarrError(
          "too-large",
          `${path}: ${key}: ${end - start} bytes, the limit is ${maxObjectBytes}`,
        );
      }
      return readRange(object.fd, start, end, join(path, key));
    },
    list(prefix) {
      const at = folder(prefix.replace(/\/$/, ""));
      return at === undefined ? [] : (tolerate(() => fs.readdirSync(at), at) ?? []);
    },
    close() {
      open = false;
      if (last !== undefined) fs.closeSync(last.fd);
      last = undefined;
    },
  };
}

function clamp(range: ByteRange | undefined, size: number): [number, number] {
  if (range === undefined) return [0, size];
  if ("suffix" in range) return [Math.max(0, size - range.suffix), size];
  const start = Math.min(range.start, size);
  return [start, Math.max(start, Math.min(range.end, size))];
}

function readRange(fd: number, start: number, end: number, where: string): Uint8Array {
  const out = new Uint8Array(end - start);
  let done = 0;
  try {
    while (done < out.length) {
      const count = fs.readSync(fd, out, done, out.length - done, start + done);
      if (count === 0) return out.subarray(0, done);
      done += count;
    }
  } catch (error) {
    throw fromSystemError(error, where, "read");
  }
  return out;
}

function tolerate<T>(work: () => T | undefined, where: string): T | undefined {
  try {
    return work();
  } catch (error) {
    if (absent.has((error as { code?: string }).code ?? "")) return undefined;
    throw fromSystemError(error, where, "read");
  }
}
