import type { Readable } from "node:stream";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import type { StorageOptions } from "@google-cloud/storage";

export interface ObjectInfo {
  /** Canonical URI: percent-encoded for `file://`, the raw key for `s3://` and `gs://`. */
  uri: string;
  /** Bytes. */
  size: number;
  /** Opaque; changes whenever the content is replaced. Comparable only within one store. */
  etag: string;
  lastModified: Date;
}

/** Half-open byte range `[start, end)`. An `end` past the object is clamped, as in `Uint8Array.slice`. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
}

export interface StreamOptions extends CallOptions {
  range?: ByteRange | undefined;
}

export interface GetOptions extends StreamOptions {
  /** Refuse to buffer more than this many bytes (default 2 GiB): `object-too-large`. */
  maxBytes?: number | undefined;
  /**
   * Memory for the bytes, asked for once with their number, and returned. For who reads object after object: new memory for each costs more
   * than reading a local file does. What it holds after an error is not defined; stores that do not tell a length beforehand leave it aside.
   */
  room?: ((bytes: number) => Uint8Array<ArrayBuffer>) | undefined;
}

export interface PutOptions extends CallOptions {
  /** Create only: `object-exists` when something is already there. Exactly one of many racing callers wins. */
  ifAbsent?: boolean | undefined;
  /** Media type; stored by `s3://` and `gs://`, ignored by `file://`. */
  contentType?: string | undefined;
}

export interface PutFileOptions extends PutOptions {
  /** Nobody will write to the local file again: a `file://` store on the same file system takes it over, with its mode, rather than copy it. */
  handOver?: boolean | undefined;
}

export type ObjectBody = Uint8Array | string | AsyncIterable<Uint8Array>;

/**
 * One interface over `file://`, `s3://` and `gs://`.
 *
 * Every method may throw `ObjectStoreError` with `invalid-uri`, `permission-denied`, `unauthenticated`,
 * `store-unavailable` (retryable), `bucket-not-found`, `cancelled` or `store-closed`, besides what is named below.
 */
export interface ObjectStore {
  /** Size, etag and time of an object, or undefined when there is none. */
  head(uri: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /** The bytes of an object or of a range of it. Throws `object-not-found`, `invalid-range`, `object-too-large`. */
  get(uri: string, options?: GetOptions): Promise<Uint8Array>;
  /**
   * The same as a byte stream; the promise rejects when the object is absent, the stream errors with an
   * `ObjectStoreError` when the transfer breaks or comes out short.
   */
  stream(uri: string, options?: StreamOptions): Promise<Readable>;
  /**
   * Writes an object; readers see either all of it or none of it. An error thrown by an iterable body is rethrown as
   * it is and nothing becomes visible. Throws `object-exists` (with `ifAbsent`), `path-conflict` (`file://`: a folder
   * has that name, or a parent is a file), `storage-full`, `write-conflict`.
   * A cancelled or `store-unavailable` put may or may not have happened.
   */
  put(uri: string, body: ObjectBody, options?: PutOptions): Promise<ObjectInfo>;
  /** `put` of a local file. Throws `source-changed` when the file's size moves while it is read. */
  putFile(uri: string, localPath: string, options?: PutFileOptions): Promise<ObjectInfo>;
  /** Copies an object to a local path, which appears whole or not at all; parent folders are made. */
  download(
    uri: string,
    localPath: string,
    options?: CallOptions,
  ): Promise<{ size: number /** Hex. */; sha256: string }>;
  /**
   * Every object whose URI starts with the prefix, at any depth, in byte order of the URI. The prefix is a string
   * prefix: end it with `/` to list a folder. A prefix without objects yields nothing.
   */
  list(prefixUri: string, options?: CallOptions): AsyncIterable<ObjectInfo>;
  /** Removes an object; an absent one is fine. */
  delete(uri: string, options?: CallOptions): Promise<void>;
  /** The path behind a `file://` URI, so that readers can use the file in place; undefined for the others. */
  localPath(uri: string): string | undefined;
  /** Lets go of connections. Later calls throw `store-closed`. */
  close(): Promise<void>;
}

export interface S3Options {
  /** For S3-compatible stores. Makes `forcePathStyle` default to true and the region to `us-east-1`. */
  endpoint?: string | undefined;
  region?: string | undefined;
  forcePathStyle?: boolean | undefined;
  credentials?: S3ClientConfig["credentials"] | undefined;
}

export interface GcsOptions {
  /** For emulators and proxies; no credentials go there unless `authClient` is given too. */
  apiEndpoint?: string | undefined;
  projectId?: string | undefined;
  authClient?: StorageOptions["authClient"] | undefined;
}

export interface ObjectStoreOptions {
  /**
   * When given, `file://` outside these folders (paths or `file://` URIs) is `permission-denied`, symlinks resolved.
   * An empty list refuses `file://` altogether. This stops wrong or hostile URIs, not a local user who can
   * swap symlinks inside a root while a call runs.
   */
  fileRoots?: readonly string[] | undefined;
  s3?: S3Options | undefined;
  gcs?: GcsOptions | undefined;
}
