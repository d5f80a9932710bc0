/** Every way this package fails; the message says what was expected, what was found and where. */
const table = {
  /** The path does not exist. */
  "file-not-found": { grpcCode: "not_found", httpStatus: 404 },
  /** The process may not read or write the path. */
  "permission-denied": { grpcCode: "permission_denied", httpStatus: 403 },
  /** Neither zarr.json nor .zgroup or .zarray at the root. */
  "not-zarr": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** No end-of-central-directory record. */
  "not-zip": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** Metadata, a chunk or an archive that contradicts itself. */
  corrupt: { grpcCode: "data_loss", httpStatus: 422 },
  /** A key, member name or symbolic link that leads out of the hierarchy. */
  "refused-path": { grpcCode: "invalid_argument", httpStatus: 422 },
  /** A data type, codec, chunk grid or archive feature that is not implemented. */
  unsupported: { grpcCode: "unimplemented", httpStatus: 422 },
  /** More memory than `maxBytes` allows, or more chunks than one read may touch. */
  "too-large": { grpcCode: "resource_exhausted", httpStatus: 413 },
  /** No such node or member. */
  "not-found": { grpcCode: "not_found", httpStatus: 404 },
  /** A region, option or writer call that makes no sense. */
  "invalid-argument": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** Used after close(), finish() or abort(). */
  closed: { grpcCode: "failed_precondition", httpStatus: 409 },
  /** The caller's AbortSignal fired. */
  cancelled: { grpcCode: "cancelled", httpStatus: 499 },
  /** The disk refused; see `cause`. */
  "write-failed": { grpcCode: "internal", httpStatus: 500 },
} as const;

/** What went wrong, for programs. */
export type ZarrErrorTag = keyof typeof table;

/** What this package throws; what a store's `get` rejects with comes as it is. */
export class ZarrError extends Error {
  readonly tag: ZarrErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  constructor(tag: ZarrErrorTag, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ZarrError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
  }
}

/** Names what the operating system refused. */
export function fromSystemError(error: unknown, path: string, doing: "read" | "write"): ZarrError {
  if (error instanceof ZarrError) return error;
  const code = (error as { code?: string }).code;
  if (code === "ENOENT" && doing === "read") {
    return new ZarrError("file-not-found", `${path}: no such file or folder`, { cause: error });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new ZarrError("permission-denied", `${path}: not allowed to ${doing} it (${code})`, {
      cause: error,
    });
  }
  const said = error instanceof Error ? error.message : String(error);
  return new ZarrError(
    doing === "read" ? "file-not-found" : "write-failed",
    `${path}: cannot ${doing} it: ${said}`,
    {
      cause: error,
    },
  );
}
