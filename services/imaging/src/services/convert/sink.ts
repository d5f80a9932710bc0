import { createHash, hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { tarEntrySize, writeTarEntry } from "./tar.ts";

/** Puts of one field at the same time: hides the latency of a remote store. */
const puts = 8;

/** Where the files of a field go. Disposing of it gives up what is not finished. */
export interface FileSink extends AsyncDisposable {
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
      list.update(`${hash("sha256", bytes)}  ${path}\n`);
    },
    read: () => ({ files: it.files, bytes: it.bytes, sha256: list.digest("hex") }),
  };
  return it;
}

/** Memory of copies that were written, for the next ones, also of the next field: new memory for every file costs more than the copying. */
const spare: ArrayBuffer[] = [];

/** Kept at most, for each thread: what the puts of two fields need, one of which waits for its files while the other is worked on. */
const keepBuffers = 2 * puts;
const keepBytes = 4 * 1024 * 1024;

/** Memory that is used again. A crop of the usual sizes fits into the memory of every other, whatever its own size. */
function take(length: number): Uint8Array<ArrayBuffer> {
  const at = spare.findLastIndex((buffer) => buffer.byteLength >= length);
  const [buffer] = at < 0 ? [] : spare.splice(at, 1);
  return new Uint8Array(buffer ?? new ArrayBuffer(roomFor(length)), 0, length);
}

/** The next power of two from 1 MiB on, which few crops exceed; what is too large to be kept as it is. */
function roomFor(length: number): number {
  return length > keepBytes ? length : Math.max(1024 * 1024, 2 ** Math.ceil(Math.log2(length)));
}

/** What nobody looks at any more. */
function giveBack({ buffer }: Uint8Array<ArrayBuffer>): void {
  if (buffer.byteLength <= keepBytes && spare.length < keepBuffers) spare.push(buffer);
}

/** Objects below a URI, a few puts at a time. */
export function storeSink(store: ObjectStore, uri: string, signal: AbortSignal): FileSink {
  const count = tally();
  const running = new Set<Promise<void>>();
  let failed: { error: unknown } | undefined;
  const check = () => {
    if (failed !== undefined) throw failed.error;
  };
  return {
    async put(path, bytes, contentType) {
      check();
      count.add(path, bytes);
      const copy = take(bytes.length);
      copy.set(bytes);
      const done = store
        .put(joinUri(uri, ...path.split("/")), copy, { contentType, signal })
        // Only what was written for certain: one that was given up may still be on its way.
        .then(() => giveBack(copy))
        .catch((error: unknown) => {
          failed ??= { error };
        })
        .finally(() => running.delete(done));
      running.add(done);
      if (running.size >= puts) await Promise.race(running);
      check();
    },
    async finish() {
      await Promise.all(running);
      check();
      return count.read();
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Entries of a tar archive in a local file, without the archive's end. */
export function tarSink(localPath: string): FileSink {
  const count = tally();
  let file: FileHandle | undefined;
  // One after the other, in the order in which they came, whoever waits for them.
  let last: Promise<void> = Promise.resolve();
  return {
    put(path, bytes) {
      count.add(path, bytes);
      const entry = take(tarEntrySize(bytes.length));
      writeTarEntry(entry, path, bytes);
      last = last.then(async () => {
        file ??= await open(localPath, "w");
        await file.appendFile(entry);
        giveBack(entry);
      });
      return last;
    },
    async finish() {
      await last;
      return count.read();
    },
    async [Symbol.asyncDispose]() {
      await last.catch(() => undefined);
      await file?.close();
    },
  };
}
