import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { fromSystemError, Hdf5Error } from "../errors.ts";
import { lookup3 } from "../write/lookup3.ts";
import { Cursor, type Widths } from "./cursor.ts";

const pageBytes = 64 * 1024;
/** Pages kept: metadata of one file, read again and again in small pieces. */
const maxPages = 128;
/** What one call may cost beyond twice the file: a sound file is not read more often than that to answer one question. */
const freeBytes = 32 * 1024 * 1024;
/** Charged for a read however small, so that many small ones count. */
const readCost = 64;

/** The bytes of an open file. Addresses are relative to the base address; every range is checked against the file's size. */
export interface FileBytes {
  readonly path: string;
  readonly sizeBytes: number;
  readonly base: number;
  readonly widths: Widths;
  /** A view of metadata, not to be changed. Counted against the call's budget. */
  read(address: number, count: number, what: string): Uint8Array;
  cursor(address: number, count: number, what: string): Cursor;
  /** Cursor over a block whose last 4 bytes are its checksum, verified; the checksum is not part of the cursor. */
  checked(address: number, count: number, what: string): Cursor;
  /** Data straight from the disk into `into`, past the pages. */
  readInto(into: Uint8Array, address: number, what: string): void;
  /** Throws unless the range lies in the file. */
  check(address: number, count: number, what: string): void;
  /** Begins a call: the budget of reads is full again. */
  renew(): void;
  close(): void;
}

/** @throws Hdf5Error "file-not-found" | "permission-denied" */
export function openBytes(path: string, sizeBytes: number, base: number, widths: Widths): FileBytes {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    throw fromSystemError(error, path, "read");
  }
  if (fstatSync(descriptor).size < sizeBytes) {
    closeSync(descriptor);
    throw new Hdf5Error("truncated", `${path} became shorter while it was opened`);
  }
  const pages = new Map<number, Uint8Array>();
  const budget = 2 * sizeBytes + freeBytes;
  let spent = 0;

  function fill(into: Uint8Array, position: number, what: string): void {
    if (descriptor === undefined) throw new Hdf5Error("closed", `${path} is closed`);
    for (let done = 0; done < into.length; ) {
      const count = readSome(descriptor, into, done, position + done);
      if (count === 0) {
        throw new Hdf5Error("truncated", `${path}: ${what}: the file ends at byte ${position + done}`);
      }
      done += count;
    }
  }

  function readSome(from: number, into: Uint8Array, done: number, position: number): number {
    try {
      return readSync(from, into, done, into.length - done, position);
    } catch (error) {
      throw fromSystemError(error, path, "read");
    }
  }

  function page(index: number, what: string): Uint8Array {
    let bytes = pages.get(index);
    if (bytes !== undefined) {
      if (pages.size < maxPages) return bytes;
      pages.delete(index);
    } else {
      bytes = new Uint8Array(Math.min(pageBytes, sizeBytes - index * pageBytes));
      fill(bytes, index * pageBytes, what);
      if (pages.size >= maxPages) pages.delete(pages.keys().next().value!);
    }
    pages.set(index, bytes);
    return bytes;
  }

  function check(address: number, count: number, what: string): void {
    if (!(address >= 0 && count >= 0 && base + address + count <= sizeBytes)) {
      throw new Hdf5Error(
        "corrupt",
        `${path}: ${what}: ${count} bytes at address ${address} lie beyond the end of the file (${sizeBytes} bytes)`,
      );
    }
  }

  const file: FileBytes = {
    path,
    sizeBytes,
    base,
    widths,
    check,
    read(address, count, what) {
      check(address, count, what);
      spent += count + readCost;
      if (spent > budget) {
        throw new Hdf5Error(
          "corrupt",
          `${path}: ${what}: more than ${budget} bytes of structure read for one question; it refers to itself or overlaps`,
        );
      }
      if (descriptor === undefined) throw new Hdf5Error("closed", `${path} is closed`);
      const from = base + address;
      const first = Math.floor(from / pageBytes);
      const inPage = from - first * pageBytes;
      if (inPage + count <= pageBytes) return page(first, what).subarray(inPage, inPage + count);
      const bytes = new Uint8Array(count);
      if (count > pageBytes) {
        fill(bytes, from, what);
        return bytes;
      }
      const head = page(first, what).subarray(inPage);
      bytes.set(head);
      bytes.set(page(first + 1, what).subarray(0, count - head.length), head.length);
      return bytes;
    },
    cursor: (address, count, what) => new Cursor(file.read(address, count, what), widths, `${path}: ${what}`),
    checked(address, count, what) {
      const bytes = file.read(address, count, what);
      verify(bytes, `${path}: ${what}`);
      return new Cursor(bytes.subarray(0, -4), widths, `${path}: ${what}`);
    },
    readInto(into, address, what) {
      check(address, into.length, what);
      fill(into, base + address, what);
    },
    renew: () => {
      spent = 0;
    },
    close() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
      pages.clear();
    },
  };
  return file;
}

/** Compares the last 4 bytes with the lookup3 hash of the others. */
export function verify(bytes: Uint8Array, what: string): void {
  const end = bytes.length - 4;
  if (end < 0) throw new Hdf5Error("corrupt", `${what}: ${bytes.length} bytes are too few for a checksum`);
  const stored = new DataView(bytes.buffer, bytes.byteOffset + end, 4).getUint32(0, true);
  const found = lookup3(bytes.subarray(0, end));
  if (stored !== found) {
    throw new Hdf5Error("corrupt", `${what}: checksum ${hex(stored)} stored, ${hex(found)} computed`);
  }
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;
