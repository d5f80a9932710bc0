import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { crc32c } from "@cytomesh/codecs";
import { crc32cBase64 } from "../crc32c-base64.ts";

/** The part of the GCS JSON API that the backend uses, in memory, for tests. */
export interface FakeGcs {
  apiEndpoint: string;
  /** `METHOD path?query` of every request so far. */
  requests: string[];
  /** The Authorization header of every request. */
  authorizations: (string | undefined)[];
  /** Objects by `bucket/name`. */
  objects: Map<string, StoredObject>;
  /** Sees each request after it took effect; returning true cuts the connection instead of answering. */
  dropAnswer: (request: IncomingMessage) => boolean;
  /** Changes what a download sends, for transfer damage. */
  damage: (bytes: Uint8Array) => Uint8Array;
  /** Changes what an upload stores. */
  damageUpload: (bytes: Buffer) => void;
  pageSize: number;
  stop(): Promise<void>;
}

interface Resource {
  name?: string;
  contentType?: string;
  contentEncoding?: string;
  crc32c?: string;
  metadata?: Record<string, string>;
}

export interface StoredObject {
  bytes: Buffer;
  generation: number;
  updated: string;
  resource: Resource;
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
  json?: unknown;
  bytes?: Uint8Array;
}

interface Session {
  bucket: string;
  resource: Resource;
  ifGenerationMatch: string | null;
  received: Buffer;
}

export async function startFakeGcs(buckets: readonly string[]): Promise<FakeGcs> {
  const sessions = new Map<string, Session>();
  let generation = 1000;
  const fake: FakeGcs = {
    apiEndpoint: "",
    requests: [],
    authorizations: [],
    objects: new Map(),
    dropAnswer: () => false,
    damage: (bytes) => bytes,
    damageUpload: () => {},
    pageSize: 1000,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function failedPrecondition(bucket: string, name: string, ifGenerationMatch: string | null): boolean {
    if (ifGenerationMatch === null) return false;
    return String(fake.objects.get(`${bucket}/${name}`)?.generation ?? 0) !== ifGenerationMatch;
  }

  function store(
    bucket: string,
    resource: Resource,
    bytes: Buffer,
    ifGenerationMatch: string | null,
  ): Answer {
    const name = resource.name ?? "";
    if (failedPrecondition(bucket, name, ifGenerationMatch)) return failure(412, "conditionNotMet");
    fake.damageUpload(bytes);
    const actual = crc32cBase64(crc32c(bytes));
    if ((resource.crc32c ?? actual) !== actual)
      return failure(
        400,
        `Provided CRC32C "${resource.crc32c}" doesn't match calculated CRC32C "${actual}".`,
      );
    generation += 1;
    const object = { bytes, generation, updated: new Date().toISOString(), resource };
    fake.objects.set(`${bucket}/${name}`, object);
    return { status: 200, json: objectJson(bucket, object) };
  }

  function upload(url: URL, bucket: string, request: IncomingMessage, body: Buffer): Answer {
    const ifGenerationMatch = url.searchParams.get("ifGenerationMatch");
    const name = url.searchParams.get("name");
    const named = name === null ? {} : { name };
    if (url.searchParams.get("uploadType") === "multipart") {
      const { resource, bytes } = parseRelated(body, request.headers["content-type"] ?? "");
      return store(bucket, { ...resource, ...named }, bytes, ifGenerationMatch);
    }
    const resource = { ...(JSON.parse(body.toString() || "{}") as Resource), ...named };
    if (failedPrecondition(bucket, resource.name ?? "", ifGenerationMatch))
      return failure(412, "conditionNotMet");
    const id = randomUUID();
    sessions.set(id, { bucket, resource, ifGenerationMatch, received: Buffer.alloc(0) });
    return { status: 200, headers: { location: `${fake.apiEndpoint}/upload/session/${id}` }, json: {} };
  }

  function continueUpload(id: string, request: IncomingMessage, body: Buffer): Answer {
    const session = sessions.get(id);
    if (session === undefined) return failure(404, "No such upload session.");
    const [, first, total] =
      /^bytes (\d+|\*)(?:-[\d*]+)?\/(\d+|\*)$/.exec(request.headers["content-range"] ?? "") ?? [];
    if (first !== undefined && first !== "*") {
      session.received = Buffer.concat([session.received.subarray(0, Number(first)), body]);
    }
    const { received } = session;
    if (total === undefined || total === "*" || Number(total) !== received.length) {
      const range: Record<string, string> =
        received.length === 0 ? {} : { range: `bytes=0-${received.length - 1}` };
      return { status: 308, headers: range };
    }
    sessions.delete(id);
    return store(session.bucket, session.resource, received, session.ifGenerationMatch);
  }

  function list(url: URL, bucket: string): Answer {
    const start = `${bucket}/${url.searchParams.get("prefix") ?? ""}`;
    const names = [...fake.objects.keys()].filter((key) => key.startsWith(start));
    names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const from = Number(url.searchParams.get("pageToken") ?? 0);
    const page = names.slice(from, from + fake.pageSize);
    const items = page.map((key) => objectJson(bucket, fake.objects.get(key)!));
    const more = from + fake.pageSize < names.length ? { nextPageToken: String(from + fake.pageSize) } : {};
    return { status: 200, json: { kind: "storage#objects", items, ...more } };
  }

  function media(request: IncomingMessage, { bytes, resource }: StoredObject): Answer {
    const hash = `crc32c=${crc32cBase64(crc32c(bytes))},md5=${createHash("md5").update(bytes).digest("base64")}`;
    const encoding = resource.contentEncoding;
    const headers: Record<string, string> = {
      "x-goog-hash": hash,
      "x-goog-stored-content-encoding": encoding ?? "identity",
      ...(encoding === undefined ? {} : { "content-encoding": encoding }),
    };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    if (range === null) return { status: 200, headers, bytes: fake.damage(bytes) };
    const first = Number(range[1]);
    if (first >= bytes.length) return failure(416, "The requested range cannot be satisfied.");
    const last = Math.min(range[2] === "" ? Number.POSITIVE_INFINITY : Number(range[2]), bytes.length - 1);
    const contentRange = { "content-range": `bytes ${first}-${last}/${bytes.length}` };
    return {
      status: 206,
      headers: { ...headers, ...contentRange },
      bytes: fake.damage(bytes.subarray(first, last + 1)),
    };
  }

  function answer(request: IncomingMessage, body: Buffer): Answer {
    const url = new URL(request.url ?? "/", "http://fake");
    const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
    if (parts[0] === "upload" && parts[1] === "session") return continueUpload(parts[2] ?? "", request, body);
    const uploading = parts[0] === "upload";
    const [, , , bucket = "", kind, name] = uploading ? parts.slice(1) : parts;
    if (!buckets.includes(bucket)) return failure(404, "The specified bucket does not exist.");
    if (kind !== "o") return failure(501, "not part of this fake");
    if (uploading) return upload(url, bucket, request, body);
    if (name === undefined) return list(url, bucket);
    const object = fake.objects.get(`${bucket}/${name}`);
    if (object === undefined) return failure(404, `No such object: ${bucket}/${name}`);
    if (request.method === "DELETE") {
      fake.objects.delete(`${bucket}/${name}`);
      return { status: 204 };
    }
    if (url.searchParams.get("alt") === "media") return media(request, object);
    return { status: 200, json: objectJson(bucket, object) };
  }

  const server = createServer((request, response) => {
    fake.authorizations.push(request.headers.authorization);
    fake.requests.push(`${request.method} ${request.url}`);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {}); // a client that went away; nothing was stored
    request.on("end", () => {
      const result = answer(request, Buffer.concat(chunks));
      if (fake.dropAnswer(request)) request.socket.destroy();
      else send(response, result);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  fake.apiEndpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return fake;
}

function send(response: ServerResponse, { status, headers = {}, json, bytes }: Answer): void {
  const payload = bytes ?? (json === undefined ? new Uint8Array() : Buffer.from(JSON.stringify(json)));
  const type = bytes === undefined ? "application/json" : "application/octet-stream";
  response.writeHead(status, { "content-type": type, "content-length": payload.length, ...headers });
  response.end(payload);
}

function failure(status: number, message: string): Answer {
  return { status, json: { error: { code: status, message, errors: [{ message, reason: "fake" }] } } };
}

function objectJson(bucket: string, { bytes, generation, updated, resource }: StoredObject): unknown {
  return {
    kind: "storage#object",
    bucket,
    ...resource,
    size: String(bytes.length),
    generation: String(generation),
    metageneration: "1",
    etag: `g${generation}`,
    updated,
    timeCreated: updated,
    md5Hash: createHash("md5").update(bytes).digest("base64"),
    crc32c: crc32cBase64(crc32c(bytes)),
  };
}

/** multipart/related with two parts: the resource as JSON, and the bytes (RFC 2387). */
function parseRelated(body: Buffer, contentType: string): { resource: Resource; bytes: Buffer } {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1] ?? "";
  const mark = Buffer.from(`--${boundary}`);
  const second = body.indexOf(mark, mark.length);
  const end = body.lastIndexOf(`\r\n--${boundary}--`);
  const content = (from: number, to: number) => body.subarray(body.indexOf("\r\n\r\n", from) + 4, to);
  return {
    resource: JSON.parse(content(0, second).toString()) as Resource,
    bytes: content(second, end),
  };
}
