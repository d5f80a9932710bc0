import { ObjectStoreError, type ObjectStoreErrorTag } from "./errors.ts";

interface Meaning {
  readonly tag: ObjectStoreErrorTag;
  readonly what: string;
}

const denied: Meaning = { tag: "permission-denied", what: "The operating system refused access to" };
const conflict: Meaning = {
  tag: "path-conflict",
  what: "A file stands where a folder is needed, or a folder where a file is needed, at",
};
const full: Meaning = { tag: "storage-full", what: "There is no room (disk, quota or file size limit) for" };
const badName: Meaning = {
  tag: "invalid-uri",
  what: "The file system cannot hold the name, or its links loop, of",
};
const busy: Meaning = {
  tag: "store-unavailable",
  what: "The file system cannot serve this at the moment; try again:",
};

const FS_CODES: Readonly<Record<string, Meaning>> = {
  ENOENT: { tag: "object-not-found", what: "There is no file at" },
  EACCES: denied,
  EPERM: denied,
  EROFS: denied,
  ENOTDIR: conflict,
  EISDIR: conflict,
  ENOTEMPTY: conflict,
  EEXIST: conflict,
  ENOSPC: full,
  EDQUOT: full,
  EFBIG: full,
  ENAMETOOLONG: badName,
  ELOOP: badName,
  EMFILE: busy,
  ENFILE: busy,
  EAGAIN: busy,
  EBUSY: busy,
  ETIMEDOUT: busy,
  ESTALE: busy,
};

export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

/** Turns what `node:fs` throws into an ObjectStoreError; undefined for anything else. */
export function mapFsError(error: unknown, uri: string): ObjectStoreError | undefined {
  const code = errorCode(error);
  const meaning = code === undefined ? undefined : FS_CODES[code];
  if (meaning === undefined) return undefined;
  return new ObjectStoreError(meaning.tag, `${meaning.what} ${uri} (${code}).`, { uri, cause: error });
}
