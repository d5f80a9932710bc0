import { mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { AnnDataError } from "./errors.ts";

/** Where a file is, and who needs room for what, for errors. */
export interface Room {
  folder: string;
  needs: string;
}

/**
 * A file for reading and writing that has no name while it is in use, so that nothing is left behind whatever happens.
 *
 * @param prefix of the folder that it is made in, which is gone afterwards
 * @throws AnnDataError "write-failed"
 */
export function openNameless(prefix: string, room: Room): number {
  try {
    const own = mkdtempSync(join(room.folder, prefix));
    try {
      return openSync(join(own, "entries"), "wx+", 0o600);
    } finally {
      rmSync(own, { recursive: true, force: true });
    }
  } catch (error) {
    throw failed(room, error);
  }
}

/** @throws AnnDataError "write-failed" */
export function writeAt(fd: number, bytes: Uint8Array, position: number, room: Room): void {
  try {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done, position + done);
    }
  } catch (error) {
    throw failed(room, error);
  }
}

/** Fills `bytes`, which were written. @throws AnnDataError "write-failed" */
export function readAt(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    const got = readSync(fd, bytes, done, bytes.length - done, position + done);
    if (got === 0) throw new AnnDataError("write-failed", "the file of sorted entries ended early");
    done += got;
  }
}

function failed({ folder, needs }: Room, error: unknown): AnnDataError {
  const reason = error instanceof Error ? error.message : String(error);
  return new AnnDataError(
    "write-failed",
    `${folder}: ${needs} on disk: ${reason}; name another folder with tempDir`,
    { cause: error },
  );
}
