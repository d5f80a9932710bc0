import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32c } from "@cytomesh/codecs";
import {
  type File,
  type FileMetadata,
  IdempotencyStrategy,
  Storage,
  type StorageOptions,
} from "@google-cloud/storage";
import type { Backend, BackendPut, Location, PutSource } from "./backend.ts";
import { abortable, SINGLE_REQUEST_BYTES } from "./body.ts";
import { crc32cBase64 } from "./crc32c-base64.ts";
import { ObjectStoreError } from "./errors.ts";
import { pastTheEnd } from "./file-backend.ts";
import { damaged, downloadTransport, openDownload } from "./gcs-download.ts";
import {
  damagedUpload,
  fromStatus,
  isNetworkError,
  objectExists,
  PUT_ID_KEY,
  unavailable,
} from "./remote-errors.ts";
import type { GcsOptions, ObjectInfo } from "./types.ts";
import { compareUris } from "./uri.ts";

const LIST_PAGE = 1000;

export function createGcsBackend(options: GcsOptions): Backend {
  const storage = new Storage(clientOptions(options));
  const transport = downloadTransport(storage, options.authClient !== undefined);
  const fileOf = (at: Location): File => storage.bucket(at.bucket).file(at.key);

  async function metadataOf(
    at: Location,
    signal: AbortSignal | undefined,
  ): Promise<FileMetadata | undefined> {
    try {
      const [metadata] = await abortable(fileOf(at).getMetadata(), signal);
      return metadata;
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  return {
    async head(at, signal) {
      const metadata = await metadataOf(at, signal);
      return metadata === undefined ? undefined : infoOf(at.uri, metadata);
    },

    async open(at, range, signal) {
      try {
        return await openDownload(storage, transport, at, range, signal);
      } catch (error) {
        throw range !== undefined && statusOf(error) === 416
          ? pastTheEnd(at.uri, range, undefined, error)
          : error;
      }
    },

    async put(at, source, o) {
      const putId = randomUUID();
      const file = fileOf(at);
      try {
        await write(file, at, source, o, putId);
        return infoOf(at.uri, file.metadata);
      } catch (error) {
        if (statusOf(error) !== 412 || !o.ifAbsent) throw error;
        // The client repeats requests by itself: the object in the way may be the one its first sending made.
        const there = await metadataOf(at, o.signal);
        if (there?.metadata?.[PUT_ID_KEY] === putId) return infoOf(at.uri, there);
        throw objectExists(at.uri, error);
      }
    },

    async *list(at, signal) {
      const bucket = storage.bucket(at.bucket);
      let pageToken: string | undefined;
      do {
        const query = { prefix: at.key, autoPaginate: false, maxResults: LIST_PAGE };
        const page = bucket.getFiles(pageToken === undefined ? query : { ...query, pageToken });
        const [files, next] = await abortable(page, signal);
        const items = files.filter((file) => !file.name.endsWith("/"));
        yield* items
          .map((file) => infoOf(`gs://${at.bucket}/${file.name}`, file.metadata))
          .sort((a, b) => compareUris(a.uri, b.uri));
        pageToken = (next as { pageToken?: string } | null)?.pageToken;
      } while (pageToken !== undefined);
    },

    async delete(at, signal) {
      await abortable(fileOf(at).delete({ ignoreNotFound: true }), signal);
    },

    mapError: mapGcsError,
    async close() {},
  };
}

function clientOptions({ apiEndpoint, projectId, authClient }: GcsOptions): StorageOptions {
  // Every call of this package may be repeated: plain puts write the same bytes, conditional ones know their own id.
  const options: StorageOptions = { retryOptions: { idempotencyStrategy: IdempotencyStrategy.RetryAlways } };
  if (apiEndpoint !== undefined) options.apiEndpoint = apiEndpoint;
  if (projectId !== undefined) options.projectId = projectId;
  if (authClient !== undefined) {
    options.authClient = authClient;
    options.useAuthWithCustomEndpoint = true;
  }
  return options;
}

/**
 * Stores bytes with their CRC-32C in the request, so that GCS refuses damaged ones. A stream's checksum is known only
 * when everything is there; a damaged object is then removed again.
 */
async function write(
  file: File,
  at: Location,
  source: PutSource,
  o: BackendPut,
  putId: string,
): Promise<void> {
  const metadata: FileMetadata = {};
  if (o.contentType !== undefined) metadata.contentType = o.contentType;
  if (o.ifAbsent) metadata.metadata = { [PUT_ID_KEY]: putId };
  if (source.kind === "bytes") metadata.crc32c = crc32cBase64(crc32c(source.bytes));
  const preconditionOpts = o.ifAbsent ? { ifGenerationMatch: 0 } : {};
  const options = { metadata, preconditionOpts, validation: false };
  if (source.kind === "bytes" && source.bytes.length <= SINGLE_REQUEST_BYTES) {
    return abortable(file.save(source.bytes as Buffer, { ...options, resumable: false }), o.signal);
  }
  let crc = 0;
  async function* summed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source.kind === "bytes" ? slices(source.bytes) : source.chunks) {
      crc = crc32c(chunk, crc);
      yield chunk;
    }
  }
  // In chunks the client holds what it sends and can repeat it after a broken connection.
  const upload = file.createWriteStream({ ...options, resumable: true, chunkSize: SINGLE_REQUEST_BYTES });
  const body = Readable.from(summed(), { objectMode: false });
  await pipeline(body, upload, o.signal === undefined ? {} : { signal: o.signal });
  const { crc32c: stored, generation } = file.metadata;
  const sent = crc32cBase64(crc);
  if (stored === undefined || stored === sent) return;
  if (generation !== undefined) await file.delete({ ifGenerationMatch: generation, ignoreNotFound: true });
  throw damaged(at.uri, sent, stored);
}

function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += SINGLE_REQUEST_BYTES)
    yield bytes.subarray(at, at + SINGLE_REQUEST_BYTES);
}

function infoOf(uri: string, { size, generation, updated, timeCreated }: FileMetadata): ObjectInfo {
  const time = updated ?? timeCreated;
  return {
    uri,
    size: Number(size ?? 0),
    etag: String(generation ?? ""),
    lastModified: time === undefined ? new Date() : new Date(time),
  };
}

/** The client puts an HTTP status in `code`, `status` or `response.status`, as a number or as text. */
function statusOf(error: unknown): number | undefined {
  const { code, status, response } = (error ?? {}) as {
    code?: unknown;
    status?: unknown;
    response?: unknown;
  };
  for (const value of [code, status, (response as { status?: unknown } | undefined)?.status]) {
    const number = typeof value === "number" ? value : Number.parseInt(String(value ?? ""), 10);
    if (number >= 400 && number < 600) return number;
  }
  return undefined;
}

export function mapGcsError(error: unknown, uri: string): Error | undefined {
  const message = error instanceof Error ? error.message : "";
  if (message.includes("Could not load the default credentials")) {
    const hint = `No Google credentials for ${uri}; set GOOGLE_APPLICATION_CREDENTIALS or pass an authClient.`;
    return new ObjectStoreError("unauthenticated", hint, { uri, cause: error });
  }
  const status = statusOf(error);
  if (status === 404 && /bucket does not exist/i.test(message)) {
    return new ObjectStoreError("bucket-not-found", `There is no bucket for ${uri}.`, { uri, cause: error });
  }
  if (status === 400 && /provided (crc32c|md5)/i.test(message)) return damagedUpload(uri, error);
  const mapped = status === undefined ? undefined : fromStatus(status, uri, error);
  if (mapped !== undefined) return mapped;
  return isNetworkError(error) ? unavailable(uri, error) : undefined;
}
