import { resolve } from "node:path";
import { Readable } from "node:stream";
import type { Backend, Location } from "./backend.ts";
import { type BodyFailure, prepareBody } from "./body.ts";
import { ObjectStoreError } from "./errors.ts";
import { createFileBackend, pastTheEnd } from "./file-backend.ts";
import { rootGuard } from "./file-roots.ts";
import { fileSize, saveStream, withFileBody } from "./local-copy.ts";
import { type ReadContext, readAll, toReadable } from "./read.ts";
import type {
  ByteRange,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  ObjectStoreOptions,
  PutFileOptions,
  PutOptions,
} from "./types.ts";
import { formatUri, type ObjectScheme, parseUri } from "./uri.ts";

const DEFAULT_MAX_BYTES = 2 * 1024 ** 3;

/**
 * A store for `file://`, `s3://` and `gs://` URIs. The SDK of a scheme is loaded when a URI of that scheme is first
 * used, so a process that only uses files never loads any.
 */
export function createObjectStore(options: ObjectStoreOptions = {}): ObjectStore {
  const files = createFileBackend(rootGuard(options.fileRoots));
  const remotes = new Map<ObjectScheme, Promise<Backend>>();
  let closed = false;

  function backendOf(scheme: ObjectScheme): Backend | Promise<Backend> {
    if (closed)
      throw new ObjectStoreError("store-closed", "This object store was closed; create another one.");
    if (scheme === "file") return files;
    let backend = remotes.get(scheme);
    if (backend === undefined) {
      backend =
        scheme === "s3"
          ? import("./s3-backend.ts").then((module) => module.createS3Backend(options.s3 ?? {}))
          : import("./gcs-backend.ts").then((module) => module.createGcsBackend(options.gcs ?? {}));
      remotes.set(scheme, backend);
    }
    return backend;
  }

  /** Runs one call against the right backend, with every error turned into an ObjectStoreError. */
  async function call<T>(
    uri: string,
    signal: AbortSignal | undefined,
    fn: (backend: Backend, at: Location) => Promise<T>,
  ): Promise<T> {
    const at = objectAt(uri);
    const backend = await backendOf(at.scheme);
    try {
      signal?.throwIfAborted();
      backend.check?.(at);
      return await fn(backend, at);
    } catch (error) {
      throw asStoreError(backend, at.uri, signal, error);
    }
  }

  async function openObject(uri: string, range: ByteRange | undefined, signal: AbortSignal | undefined) {
    checkRange(uri, range);
    return call(uri, signal, async (backend, at) => ({
      opened: await backend.open(at, range, signal),
      context: contextOf(backend, at, signal),
    }));
  }

  async function put(uri: string, body: ObjectBody, o: PutOptions, size?: number): Promise<ObjectInfo> {
    const { ifAbsent = false, contentType, signal } = o;
    const failure: BodyFailure = {};
    try {
      return await call(uri, signal, async (backend, at) => {
        const prepared = await prepareBody(body, size, signal, failure);
        try {
          return await backend.put(at, prepared.source, { ifAbsent, contentType, signal });
        } finally {
          prepared.release();
        }
      });
    } catch (error) {
      throw failure.thrown !== undefined && !signal?.aborted ? failure.thrown.error : error;
    }
  }

  /** From file to file: the kernel does it. */
  async function copyFileTo(uri: string, localPath: string, o: PutFileOptions): Promise<ObjectInfo> {
    const { ifAbsent = false, contentType, signal, handOver = false } = o;
    const size = await fileSize(localPath);
    return call(uri, signal, (_, at) =>
      files.putFile(at, resolve(localPath), { size, ifAbsent, contentType, signal, handOver }),
    );
  }

  const store: ObjectStore = {
    head: (uri, o = {}) => call(uri, o.signal, (backend, at) => backend.head(at, o.signal)),

    async get(uri, o = {}) {
      const { range, signal } = o;
      if (range !== undefined && range.start === range.end) return emptyRange(store, uri, range, signal);
      const read = { ...o, maxBytes: o.maxBytes ?? DEFAULT_MAX_BYTES };
      checkRange(uri, range);
      return call(uri, signal, async (backend, at) => {
        if (backend.read !== undefined) return backend.read(at, read);
        return readAll(await backend.open(at, range, signal), read, contextOf(backend, at, signal));
      });
    },

    async stream(uri, { range, signal } = {}) {
      if (range !== undefined && range.start === range.end) {
        return Readable.from([await emptyRange(store, uri, range, signal)], { objectMode: false });
      }
      const { opened, context } = await openObject(uri, range, signal);
      return toReadable(opened, context);
    },

    put: (uri, body, o = {}) => put(uri, body, o),

    putFile: (uri, localPath, o = {}) =>
      objectAt(uri).scheme === "file"
        ? copyFileTo(uri, localPath, o)
        : withFileBody(localPath, (body, size) => put(uri, body, o, size)),

    async download(uri, localPath, { signal } = {}) {
      const { opened, context } = await openObject(uri, undefined, signal);
      return saveStream(toReadable(opened, context), localPath);
    },

    async *list(prefixUri, { signal } = {}) {
      const parsed = parseUri(prefixUri);
      const at = { ...parsed, uri: formatUri(parsed) };
      const backend = await backendOf(at.scheme);
      try {
        signal?.throwIfAborted();
        yield* backend.list(at, signal);
      } catch (error) {
        throw asStoreError(backend, at.uri, signal, error);
      }
    },

    delete: (uri, o = {}) => call(uri, o.signal, (backend, at) => backend.delete(at, o.signal)),

    localPath(uri) {
      const at = objectAt(uri);
      if (at.scheme !== "file") return undefined;
      try {
        files.check?.(at);
      } catch (error) {
        throw asStoreError(files, at.uri, undefined, error);
      }
      return at.key;
    },

    async close() {
      closed = true;
      for (const backend of remotes.values()) await (await backend).close();
      remotes.clear();
    },
  };
  return store;
}

function objectAt(uri: string): Location {
  const parsed = parseUri(uri);
  const at = { ...parsed, uri: formatUri(parsed) };
  if (parsed.key === "" || parsed.key.endsWith("/")) {
    const message = `${at.uri} names ${parsed.key === "" ? "a bucket" : "a folder"}; expected the URI of one object.`;
    throw new ObjectStoreError("invalid-uri", message, { uri: at.uri });
  }
  return at;
}

function contextOf(backend: Backend, at: Location, signal: AbortSignal | undefined): ReadContext {
  return { uri: at.uri, signal, toError: (error) => asStoreError(backend, at.uri, signal, error) };
}

function checkRange(uri: string, range: ByteRange | undefined): void {
  if (range === undefined) return;
  const { start, end } = range;
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start) return;
  const message = `Expected whole numbers with 0 <= start <= end for ${uri}, found [${start}, ${end}).`;
  throw new ObjectStoreError("invalid-range", message, { uri });
}

/** HTTP cannot ask for no bytes, so an empty range only checks that the object reaches that far. */
async function emptyRange(
  store: ObjectStore,
  uri: string,
  range: ByteRange,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  checkRange(uri, range);
  const info = await store.head(uri, { signal });
  if (info === undefined)
    throw new ObjectStoreError("object-not-found", `There is no object at ${uri}.`, { uri });
  if (range.start > info.size) throw pastTheEnd(uri, range, info.size);
  return new Uint8Array();
}

function asStoreError(backend: Backend, uri: string, signal: AbortSignal | undefined, error: unknown): Error {
  if (error instanceof ObjectStoreError) return error;
  if (signal?.aborted) {
    return new ObjectStoreError("cancelled", `The call for ${uri} was cancelled.`, {
      uri,
      cause: signal.reason,
    });
  }
  const why = error instanceof Error ? error.message : String(error);
  return (
    backend.mapError(error, uri) ??
    new ObjectStoreError("internal", `Unexpected failure at ${uri}: ${why}`, { uri, cause: error })
  );
}
