import type { Readable } from "node:stream";
import type { ByteRange, GetOptions, ObjectInfo } from "./types.ts";
import type { ParsedUri } from "./uri.ts";

export interface Location extends ParsedUri {
  uri: string;
}

export interface OpenedObject {
  source: Readable;
  /** Bytes that `source` must deliver, where the store says so; a different count is `corrupt-transfer`. */
  length: number | undefined;
}

/** Small bodies can be sent again after a failure; streams cannot. */
export type PutSource =
  | { kind: "bytes"; bytes: Uint8Array }
  | { kind: "stream"; chunks: AsyncIterable<Uint8Array>; size: number | undefined };

export interface BackendRead extends GetOptions {
  maxBytes: number;
}

export interface BackendPut {
  ifAbsent: boolean;
  contentType: string | undefined;
  signal: AbortSignal | undefined;
}

/**
 * What one storage system must do. Arguments are already checked (scheme, non-empty key, 0 <= start < end), and the
 * caller turns whatever is thrown into `ObjectStoreError` through `mapError`.
 */
export interface Backend {
  /** Refuses a location that no method may touch. Called before each of them, and before a body is read. */
  check?(at: Location): void;
  head(at: Location, signal: AbortSignal | undefined): Promise<ObjectInfo | undefined>;
  open(at: Location, range: ByteRange | undefined, signal: AbortSignal | undefined): Promise<OpenedObject>;
  /** All of it at once, where that is less work than a stream; throws what `readAll` throws. */
  read?(at: Location, options: BackendRead): Promise<Uint8Array>;
  put(at: Location, source: PutSource, options: BackendPut): Promise<ObjectInfo>;
  list(at: Location, signal: AbortSignal | undefined): AsyncIterable<ObjectInfo>;
  delete(at: Location, signal: AbortSignal | undefined): Promise<void>;
  /** undefined: not an error this backend knows. */
  mapError(error: unknown, uri: string): Error | undefined;
  close(): Promise<void>;
}
