import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { fromSystemError, ZarrError } from "../errors.ts";
import { writeAll, zipWriter } from "./zip-writer.ts";

/** One object of a hierarchy, written from front to back. */
export interface ObjectWriter {
  write(bytes: Uint8Array): void;
  end(): void;
}

/** Where the objects of a hierarchy are put until it is whole. */
export interface ObjectSink {
  object(key: string): ObjectWriter;
  /** Puts the result under its name, in place of what was there. */
  finish(): void;
  /** Removes what was written. */
  abort(): void;
}

export function objectSink(path: string, zip: boolean): ObjectSink {
  // Same folder, so that the rename stays on one file system.
  const target = path.replace(/\/+$/, "");
  const temporary = `${target}.${randomBytes(6).toString("hex")}.tmp`;
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw fromSystemError(error, target, "write");
    }
  };
  const sink = guarded(() => (zip ? zipSink(temporary, target) : folderSink(temporary, target)));
  return {
    object(key) {
      const object = guarded(() => sink.object(key));
      return { write: (bytes) => guarded(() => object.write(bytes)), end: () => guarded(() => object.end()) };
    },
    finish: () => guarded(() => sink.finish()),
    abort: () => guarded(() => sink.abort()),
  };
}

/** Objects go to disk as they come. */
function folderSink(temporary: string, target: string): ObjectSink {
  fs.mkdirSync(temporary);
  const open = new Set<number>();
  const made = new Set<string>();
  return {
    object(key) {
      const path = join(temporary, key);
      const folder = dirname(path);
      if (!made.has(folder)) fs.mkdirSync(folder, { recursive: true });
      made.add(folder);
      const fd = fs.openSync(path, "wx");
      open.add(fd);
      return {
        write: (bytes) => writeAll(fd, bytes),
        end: () => {
          open.delete(fd);
          fs.closeSync(fd);
        },
      };
    },
    finish: () => replace(temporary, target),
    abort() {
      for (const fd of open) fs.closeSync(fd);
      fs.rmSync(temporary, { recursive: true, force: true });
    },
  };
}

/** A member lies in one piece, so an object is held until it is whole: compressed, one shard at most for each array. */
function zipSink(temporary: string, target: string): ObjectSink {
  const fd = fs.openSync(temporary, "wx");
  const zip = zipWriter(fd);
  let closed = false;
  const close = () => {
    if (!closed) fs.closeSync(fd);
    closed = true;
  };
  return {
    object(key) {
      const parts: Uint8Array[] = [];
      return {
        write: (bytes) => void parts.push(bytes),
        end: () => zip.add(key, parts.length === 1 ? parts[0]! : Buffer.concat(parts)),
      };
    },
    finish() {
      zip.end();
      close();
      replace(temporary, target);
    },
    abort() {
      close();
      fs.rmSync(temporary, { force: true });
    },
  };
}

/** A folder cannot be renamed onto one that holds something, so what is there steps aside first. */
function replace(temporary: string, target: string): void {
  const there = fs.lstatSync(target, { throwIfNoEntry: false });
  const simple = there === undefined || (there.isFile() && fs.lstatSync(temporary).isFile());
  if (simple) {
    fs.renameSync(temporary, target);
    return;
  }
  if (there.isDirectory() && !looksReplaceable(target)) {
    throw new ZarrError(
      "invalid-argument",
      `${target}: a folder that is no zarr hierarchy stands there; it is left alone`,
    );
  }
  const aside = `${temporary}.old`;
  fs.renameSync(target, aside);
  try {
    fs.renameSync(temporary, target);
  } catch (error) {
    fs.renameSync(aside, target);
    throw error;
  }
  fs.rmSync(aside, { recursive: true, force: true });
}

function looksReplaceable(folder: string): boolean {
  const names = fs.readdirSync(folder);
  return (
    names.length === 0 ||
    ["zarr.json", ".zgroup", ".zarray", ".zmetadata"].some((name) => names.includes(name))
  );
}
