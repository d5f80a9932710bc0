import { createHash } from "node:crypto";
import { appendFile } from "node:fs/promises";
import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { tarEntry } from "./tar.ts";

/** Puts of one field at the same time: hides the latency of a remote store. */
const puts = 8;

/** Where the files of a field go. */
export interface FileSink {
  /** Take a file; its bytes are the caller's again at once, though they may be written later. Throws what an earlier one failed with. */
  put(path: string, bytes: Uint8Array, contentType: string): Promise<void>;
  /** Wait for everything. */
  finish(): Promise<FileTally>;
}

/** What was written. */
export interface FileTally {
  readonly files: number;
  readonly bytes: number;
  /** Of the lines `<sha256>  <path>\n` (as `sha256sum` writes them) of the files in the order in which they came. */
  readonly sha256: string;
}

interface Tally {
  files: number;
  bytes: number;
  add(path: string, bytes: Uint8Array): void;
  read(): FileTally;
}

function tally(): Tally {
  const list = createHash("sha256");
  const it = {
    files: 0,
    bytes: 0,
    add(path: string, bytes: Uint8Array) {
      it.files += 1;
      it.bytes += bytes.length;
      list.update(`${createHash("sha256").update(bytes).digest("hex")}  ${path}\n`);
    },
    read: () => ({ files: it.files, bytes: it.bytes, sha256: list.digest("hex") }),
  };
  return it;
}

/** Copies in memory that is used again: new memory for every file costs more than the copying. */
function spareBuffers() {
  const spare: Uint8Array<ArrayBuffer>[] = [];
  return {
    copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
      const last = spare.pop();
      const room =
        last !== undefined && last.length >= bytes.length
          ? last
          : new Uint8Array(new ArrayBuffer(Math.ceil(bytes.length * 1.25)));
      room.set(bytes);
      return room.subarray(0, bytes.length);
    },
    giveBack(copy: Uint8Array<ArrayBuffer>): void {
      spare.push(new Uint8Array(copy.buffer));
    },
  };
}

/** Objects below a URI, a few puts at a time. */
export function storeSink(store: ObjectStore, uri: string, signal: AbortSignal): FileSink {
  const count = tally();
  const running = new Set<Promise<void>>();
  const buffers = spareBuffers();
  let failed: { error: unknown } | undefined;
  const check = () => {
    if (failed !== undefined) throw failed.error;
  };
  return {
    async put(path, bytes, contentType) {
      check();
      count.add(path, bytes);
      const copy = buffers.copyOf(bytes);
      const done = store
        .put(joinUri(uri, ...path.split("/")), copy, { contentType, signal })
        .then(() => undefined)
        .catch((error: unknown) => {
          failed ??= { error };
        })
        .finally(() => {
          buffers.giveBack(copy);
          running.delete(done);
        });
      running.add(done);
      if (running.size >= puts) await Promise.race(running);
      check();
    },
    async finish() {
      await Promise.all(running);
      check();
      return count.read();
    },
  };
}

/** Entries of a tar archive, appended to a local file, without the archive's end. */
export function tarSink(localPath: string): FileSink {
  const count = tally();
  // One after the other, in the order in which they came, whoever waits for them.
  let last: Promise<void> = Promise.resolve();
  return {
    put(path, bytes) {
      count.add(path, bytes);
      const entry = tarEntry(path, bytes);
      last = last.then(() => appendFile(localPath, entry));
      return last;
    },
    finish: async () => count.read(),
  };
}
