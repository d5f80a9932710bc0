/** Every way this package fails; the message says what was expected, what was found and where. */
const table = {
  /** The path does not exist or is not a regular file. */
  "file-not-found": { grpcCode: "not_found", httpStatus: 404 },
  /** The process may not read or write the path. */
  "permission-denied": { grpcCode: "permission_denied", httpStatus: 403 },
  /** No HDF5 signature. */
  "not-hdf5": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** The superblock declares more bytes than the file has. */
  truncated: { grpcCode: "data_loss", httpStatus: 422 },
  /** Damaged structure, or the reader trapped on it. */
  corrupt: { grpcCode: "data_loss", httpStatus: 422 },
  /** External link, virtual dataset, external storage, or a soft link that leaves the tree or turns in a circle. */
  "refused-link": { grpcCode: "invalid_argument", httpStatus: 422 },
  /** A type, layout or filter that is not implemented. */
  unsupported: { grpcCode: "unimplemented", httpStatus: 422 },
  /** A read beyond the byte limit, or a declared size that the file cannot hold. */
  "too-large": { grpcCode: "resource_exhausted", httpStatus: 413 },
  /** No such object or attribute. */
  "not-found": { grpcCode: "not_found", httpStatus: 404 },
  /** A row range or writer call that makes no sense. */
  "invalid-argument": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** Used after close(), finish() or abort(). */
  closed: { grpcCode: "failed_precondition", httpStatus: 409 },
  /** The disk refused; see `cause`. */
  "write-failed": { grpcCode: "internal", httpStatus: 500 },
} as const;

/** What went wrong, for programs. */
export type Hdf5ErrorTag = keyof typeof table;

/** What this package throws; the reason of an AbortSignal comes as it is. */
export class Hdf5Error extends Error {
  readonly tag: Hdf5ErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  constructor(tag: Hdf5ErrorTag, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "Hdf5Error";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
  }
}

/** Names what the operating system refused. */
export function fromSystemError(error: unknown, path: string, doing: "read" | "write"): Hdf5Error {
  const code = (error as { code?: string }).code;
  if (code === "ENOENT" && doing === "read") {
    return new Hdf5Error("file-not-found", `${path}: no such file`, { cause: error });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new Hdf5Error("permission-denied", `${path}: not allowed to ${doing} it (${code})`, {
      cause: error,
    });
  }
  const tag = doing === "read" ? "file-not-found" : "write-failed";
  return new Hdf5Error(
    tag,
    `${path}: cannot ${doing} it: ${error instanceof Error ? error.message : error}`,
    {
      cause: error,
    },
  );
}
