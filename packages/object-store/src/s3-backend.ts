import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import type { Backend, BackendPut, Location, PutSource } from "./backend.ts";
import { SINGLE_REQUEST_BYTES } from "./body.ts";
import { ObjectStoreError } from "./errors.ts";
import {
  damagedUpload,
  fromStatus,
  isNetworkError,
  objectExists,
  PUT_ID_KEY,
  unavailable,
} from "./remote-errors.ts";
import { uploadParts } from "./s3-upload.ts";
import type { ObjectInfo, S3Options } from "./types.ts";
import { compareUris } from "./uri.ts";

/** S3 asks to repeat a conditional write that met another one (409 ConditionalRequestConflict). */
const CONFLICT_TRIES = 5;

export function createS3Backend(options: S3Options): Backend {
  const client = new S3Client(clientConfig(options));

  async function head(
    at: Location,
    signal: AbortSignal | undefined,
  ): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await client.send(new HeadObjectCommand({ Bucket: at.bucket, Key: at.key }), abort(signal));
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async function write(at: Location, source: PutSource, o: BackendPut, putId: string) {
    const params = {
      Bucket: at.bucket,
      Key: at.key,
      ...(o.contentType === undefined ? {} : { ContentType: o.contentType }),
      ...(o.ifAbsent ? { IfNoneMatch: "*", Metadata: { [PUT_ID_KEY]: putId } } : {}),
    };
    if (source.kind === "stream") {
      let size = 0;
      async function* counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        for await (const chunk of chunks) {
          size += chunk.length;
          yield chunk;
        }
      }
      const body = Readable.from(counted(source.chunks), { objectMode: false });
      const etag = await uploadParts(client, params, body, source.size, o.signal);
      return { etag, size };
    }
    const { bytes } = source;
    const size = bytes.length;
    if (size > SINGLE_REQUEST_BYTES)
      return { etag: await uploadParts(client, params, bytes, size, o.signal), size };
    const output = await client.send(new PutObjectCommand({ ...params, Body: bytes }), abort(o.signal));
    return { etag: output.ETag, size };
  }

  /** `write`, with conflicts repeated and a put that won without hearing of it recognised. */
  async function writeOnce(at: Location, source: PutSource, o: BackendPut) {
    const putId = randomUUID();
    for (let tries = 1; ; tries += 1) {
      try {
        return await write(at, source, o, putId);
      } catch (error) {
        const status = statusOf(error);
        if (status === 409 && source.kind === "bytes" && tries < CONFLICT_TRIES) {
          await sleep(50 * tries * (1 + Math.random()), undefined, abortOption(o.signal));
          continue;
        }
        if (status !== 412 || !o.ifAbsent) throw error;
        // A repeated request may have met the object that its own first sending made.
        const repeated = tries > 1 || attemptsOf(error) > 1;
        const there = repeated ? await head(at, o.signal) : undefined;
        if (there?.Metadata?.[PUT_ID_KEY] === putId)
          return { etag: there.ETag, size: there.ContentLength ?? 0 };
        throw objectExists(at.uri, error);
      }
    }
  }

  return {
    async head(at, signal) {
      const output = await head(at, signal);
      return output === undefined
        ? undefined
        : infoOf(at.uri, output.ETag, output.ContentLength, output.LastModified);
    },

    async open(at, range, signal) {
      const rangeHeader = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` };
      const command = new GetObjectCommand({ Bucket: at.bucket, Key: at.key, ...rangeHeader });
      const { Body, ContentLength } = await client.send(command, abort(signal));
      if (!(Body instanceof Readable)) {
        throw new ObjectStoreError("internal", `The S3 client gave no byte stream for ${at.uri}.`, {
          uri: at.uri,
        });
      }
      return { source: Body, length: ContentLength };
    },

    async put(at, source, o) {
      const { etag, size } = await writeOnce(at, source, o);
      // A put's answer has no time. The object is there by now, so a failing look at it must not fail the put.
      const there = await head(at, o.signal).catch(() => undefined);
      return infoOf(at.uri, etag, size, there?.ETag === etag ? there?.LastModified : undefined);
    },

    async *list(at, signal) {
      let token: string | undefined;
      do {
        const query = { Bucket: at.bucket, Prefix: at.key, EncodingType: "url" as const };
        const next = token === undefined ? {} : { ContinuationToken: token };
        const page = await client.send(new ListObjectsV2Command({ ...query, ...next }), abort(signal));
        const decode = page.EncodingType === "url" ? decodeListedKey : (key: string) => key;
        const items: ObjectInfo[] = [];
        for (const { Key, ETag, Size, LastModified } of page.Contents ?? []) {
          if (Key === undefined) continue;
          const key = decode(Key);
          // Consoles make empty objects with a final slash to show folders.
          if (!key.endsWith("/")) items.push(infoOf(`s3://${at.bucket}/${key}`, ETag, Size, LastModified));
        }
        // S3 sorts by bytes already; some compatible stores sort by their locale.
        yield* items.sort((a, b) => compareUris(a.uri, b.uri));
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },

    async delete(at, signal) {
      try {
        await client.send(new DeleteObjectCommand({ Bucket: at.bucket, Key: at.key }), abort(signal));
      } catch (error) {
        if (nameOf(error) !== "NoSuchKey") throw error;
      }
    },

    mapError: mapS3Error,
    async close() {
      client.destroy();
    },
  };
}

function clientConfig({ endpoint, region, forcePathStyle, credentials }: S3Options): S3ClientConfig {
  const config: S3ClientConfig = {
    followRegionRedirects: true,
    requestHandler: { connectionTimeout: 10_000 },
  };
  if (endpoint !== undefined) {
    config.endpoint = endpoint;
    config.forcePathStyle = true;
    if (process.env.AWS_REGION === undefined) config.region = "us-east-1";
  }
  if (region !== undefined) config.region = region;
  if (forcePathStyle !== undefined) config.forcePathStyle = forcePathStyle;
  if (credentials !== undefined) config.credentials = credentials;
  return config;
}

function infoOf(
  uri: string,
  etag: string | undefined,
  size: number | undefined,
  time: Date | undefined,
): ObjectInfo {
  // Listings of some stores have milliseconds where HTTP dates have seconds; one object has one time.
  const seconds = Math.floor((time ?? new Date()).getTime() / 1000);
  return {
    uri,
    size: size ?? 0,
    etag: (etag ?? "").replaceAll('"', ""),
    lastModified: new Date(seconds * 1000),
  };
}

function decodeListedKey(key: string): string {
  return decodeURIComponent(key.replaceAll("+", " "));
}

function abortOption(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function abort(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

interface SdkError {
  name?: string;
  $metadata?: { httpStatusCode?: number; attempts?: number };
}

function nameOf(error: unknown): string {
  return (error as SdkError | undefined)?.name ?? "";
}

function statusOf(error: unknown): number | undefined {
  return (error as SdkError | undefined)?.$metadata?.httpStatusCode;
}

function attemptsOf(error: unknown): number {
  return (error as SdkError | undefined)?.$metadata?.attempts ?? 1;
}

/** What S3 calls a body that is not what its request says: another checksum, or less of it. */
const damagedNames: ReadonlySet<string | undefined> = new Set([
  "BadDigest",
  "IncompleteBody",
  "XAmzContentChecksumMismatch",
  "XAmzContentSHA256Mismatch",
]);

export function mapS3Error(error: unknown, uri: string): Error | undefined {
  const name = nameOf(error);
  if (name === "NoSuchBucket") {
    return new ObjectStoreError("bucket-not-found", `There is no bucket for ${uri}.`, { uri, cause: error });
  }
  if (name === "CredentialsProviderError" || name === "ExpiredToken" || name === "ExpiredTokenException") {
    const message = `No valid AWS credentials for ${uri}; set them in the environment or in the store's options.`;
    return new ObjectStoreError("unauthenticated", message, { uri, cause: error });
  }
  if (name === "SlowDown" || name === "RequestTimeout" || name === "ThrottlingException")
    return unavailable(uri, error);
  if (damagedNames.has(name)) return damagedUpload(uri, error);
  const status = statusOf(error);
  const mapped = status === undefined ? undefined : fromStatus(status, uri, error);
  if (mapped !== undefined) return mapped;
  return isNetworkError(error) ? unavailable(uri, error) : undefined;
}
