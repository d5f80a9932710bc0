import { closeSync, mkdtempSync, openSync, readSync, rmSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AnnDataError } from "./errors.ts";

/** Entries per piece: small ones cost a system call each, big ones memory. */
const minPiece = 256;
const maxPiece = 65_536;

/** Entries of a sparse matrix as three lists of one length. */
export interface Entries {
  major: Int32Array;
  minor: Int32Array;
  data: Float32Array | Float64Array;
}

/** Entries on their way into buckets; every bucket keeps the order in which it was given. */
export interface Spill {
  add(bucket: number, major: number, minor: number, value: number): void;
  /** All entries of a bucket, written or still in memory. */
  read(bucket: number): Entries;
  /** Frees the file. */
  close(): void;
}

/**
 * Sorts entries into buckets on disk, to turn a matrix that does not fit into memory. The file has no name while it is in use, so
 * that nothing is left behind whatever happens.
 *
 * @param bufferBytes memory for all buckets together; at least 256 entries per bucket are held
 * @param wide values are float64, otherwise float32
 * @param folder default: the system's folder for temporary files
 * @throws AnnDataError "write-failed"
 */
export function createSpill(buckets: number, bufferBytes: number, wide: boolean, folder = tmpdir()): Spill {
  const entryBytes = wide ? 16 : 12;
  const piece = Math.min(
    maxPiece,
    Math.max(minPiece, Math.floor(bufferBytes / (Math.max(1, buckets) * entryBytes))),
  );
  const open: (Entries & { count: number })[] = [];
  const pieces: { at: number; count: number }[][] = Array.from({ length: buckets }, () => []);
  let fd: number | undefined;
  let end = 0;

  function flush(bucket: number): void {
    const { major, minor, data, count } = open[bucket]!;
    fd ??= namelessFile(folder);
    pieces[bucket]!.push({ at: end, count });
    for (const array of [major, minor, data]) {
      const bytes = new Uint8Array(array.buffer, 0, count * array.BYTES_PER_ELEMENT);
      writeAll(fd, bytes, end, folder);
      end += bytes.length;
    }
    open[bucket]!.count = 0;
  }

  return {
    add(bucket, major, minor, value) {
      open[bucket] ??= { ...emptyEntries(piece, wide), count: 0 };
      const buffer = open[bucket]!;
      if (buffer.count === piece) flush(bucket);
      buffer.major[buffer.count] = major;
      buffer.minor[buffer.count] = minor;
      buffer.data[buffer.count++] = value;
    },
    read(bucket) {
      const rest = open[bucket];
      const written = pieces[bucket]!;
      const total = written.reduce((sum, { count }) => sum + count, rest?.count ?? 0);
      const out = emptyEntries(total, wide);
      let at = 0;
      for (const { at: from, count } of written) {
        let position = from;
        for (const array of [out.major, out.minor, out.data]) {
          const size = array.BYTES_PER_ELEMENT;
          readAll(fd!, new Uint8Array(array.buffer, at * size, count * size), position);
          position += count * size;
        }
        at += count;
      }
      if (rest !== undefined) {
        out.major.set(rest.major.subarray(0, rest.count), at);
        out.minor.set(rest.minor.subarray(0, rest.count), at);
        out.data.set(rest.data.subarray(0, rest.count), at);
      }
      return out;
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

function emptyEntries(length: number, wide: boolean): Entries {
  return {
    major: new Int32Array(length),
    minor: new Int32Array(length),
    data: wide ? new Float64Array(length) : new Float32Array(length),
  };
}

function namelessFile(folder: string): number {
  try {
    const own = mkdtempSync(join(folder, "cytomesh-spill-"));
    const fd = openSync(join(own, "entries"), "wx+", 0o600);
    unlinkSync(join(own, "entries"));
    rmSync(own, { recursive: true });
    return fd;
  } catch (error) {
    throw failed(folder, error);
  }
}

function writeAll(fd: number, bytes: Uint8Array, position: number, folder: string): void {
  try {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done, position + done);
    }
  } catch (error) {
    throw failed(folder, error);
  }
}

function failed(folder: string, error: unknown): AnnDataError {
  const reason = error instanceof Error ? error.message : String(error);
  return new AnnDataError(
    "write-failed",
    `${folder}: turning a matrix needs room for its entries on disk: ${reason}; name another folder with tempDir`,
    { cause: error },
  );
}

function readAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(fd, bytes, done, bytes.length - done, position + done);
    if (read === 0) throw new AnnDataError("write-failed", "the file of spilled entries ended early");
    done += read;
  }
}
