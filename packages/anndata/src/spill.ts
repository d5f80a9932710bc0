import { closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { openNameless, readAt, writeAt } from "./nameless-file.ts";

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
 * Sorts entries into buckets on disk, to turn a matrix that does not fit into memory.
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
  const room = { folder, needs: "turning a matrix needs room for its entries" };
  let fd: number | undefined;
  let end = 0;

  function flush(bucket: number): void {
    const { major, minor, data, count } = open[bucket]!;
    fd ??= openNameless("cytomesh-spill-", room);
    pieces[bucket]!.push({ at: end, count });
    for (const array of [major, minor, data]) {
      const bytes = new Uint8Array(array.buffer, 0, count * array.BYTES_PER_ELEMENT);
      writeAt(fd, bytes, end, room);
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
          readAt(fd!, new Uint8Array(array.buffer, at * size, count * size), position);
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
