import { pipeline, Readable, Transform } from "node:stream";
import { crc32c } from "@cytomesh/codecs";
import type { Storage } from "@google-cloud/storage";
import { PassThroughClient } from "google-auth-library";
import type { Location, OpenedObject } from "./backend.ts";
import { crc32cBase64 } from "./crc32c-base64.ts";
import { ObjectStoreError } from "./errors.ts";
import type { ByteRange } from "./types.ts";

/** What a download needs of google-auth-library's clients. */
export type Transport = Pick<PassThroughClient, "request"> | Storage["authClient"];

/** Emulators get no credentials, unless the caller chose some. */
export function downloadTransport(storage: Storage, ownAuth: boolean): Transport {
  return storage.customEndpoint && !ownAuth ? new PassThroughClient() : storage.authClient;
}

/**
 * A media download, answered once the headers are there.
 *
 * Not `file.createReadStream`: when such a stream is left early, @google-cloud/storage 8.4 destroys the connection pool
 * that all other requests of the process share, and it cannot be told to stop before its headers arrive.
 */
export async function openDownload(
  storage: Storage,
  transport: Transport,
  at: Location,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<OpenedObject> {
  const options = {
    url: `${storage.baseUrl}/b/${encodeURIComponent(at.bucket)}/o/${encodeURIComponent(at.key)}`,
    params: { alt: "media" },
    headers: {
      "accept-encoding": "gzip",
      ...(range === undefined ? {} : { range: `bytes=${range.start}-${range.end - 1}` }),
    },
    // An option of node-fetch underneath. With it come the stored bytes, also where an object was stored compressed,
    // so that sizes and ranges mean what `head` says.
    compress: false,
    responseType: "stream" as const,
    retry: true,
    retryConfig: { retryDelay: 100 },
    ...(signal === undefined ? {} : { signal }),
  };
  const response = await transport.request<Readable>(options);
  const body = response.data;
  if (!(body instanceof Readable)) {
    throw new ObjectStoreError("internal", `The GCS client gave no byte stream for ${at.uri}.`, {
      uri: at.uri,
    });
  }
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  const source = range === undefined ? checked(body, response.headers, at.uri) : body;
  return { source, length: Number.isNaN(length) ? undefined : length };
}

/** Whole objects are held to their stored CRC-32C; GCS has no checksum for a range. */
function checked(body: Readable, headers: Headers, uri: string): Readable {
  const expected = /crc32c=([^,\s]+)/.exec(headers.get("x-goog-hash") ?? "")?.[1];
  const stored = headers.get("x-goog-stored-content-encoding") ?? "identity";
  const asStored = stored === (headers.get("content-encoding") ?? "identity");
  if (expected === undefined || !asStored) return body;
  let crc = 0;
  const check = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      crc = crc32c(chunk, crc);
      done(null, chunk);
    },
    flush(done) {
      const found = crc32cBase64(crc);
      done(found === expected ? null : damaged(uri, expected, found));
    },
  });
  return pipeline(body, check, () => {}); // `check` carries the error to its reader
}

export function damaged(uri: string, expected: string, found: string): ObjectStoreError {
  const message = `The bytes of ${uri} changed on the way: CRC-32C ${expected} expected, ${found} found; try again.`;
  return new ObjectStoreError("corrupt-transfer", message, { uri });
}
