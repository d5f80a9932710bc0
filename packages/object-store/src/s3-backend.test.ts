import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { createObjectStore, type ObjectStore, ObjectStoreError } from "./index.ts";
import { partSizeFor } from "./s3-upload.ts";
import { type RecordedRequest, type S3Answer, s3Error, startRecordingS3 } from "./testing/recording-s3.ts";
import { s3OptionsFor } from "./testing/stores.ts";

const URI = "s3://cells/a/x.json";
const BIG = 20 * 1024 * 1024;
const PUT_ID = "x-amz-meta-cytomesh-put-id";

function tagged(tag: string) {
  return (error: unknown) => {
    assert.ok(error instanceof ObjectStoreError, `expected an ObjectStoreError, got ${String(error)}`);
    assert.equal(error.tag, tag, error.message);
    return true;
  };
}

async function* megabytes(count: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at += 1) yield new Uint8Array(1024 * 1024);
}

/** Says yes to the requests of a multipart upload. */
function acceptParts({ method, query }: RecordedRequest): S3Answer {
  if (query.has("uploads")) {
    return {
      status: 200,
      body: "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
    };
  }
  if (query.has("partNumber")) return { status: 200, headers: { etag: `"p${query.get("partNumber")}"` } };
  if (method === "POST") {
    const body = '<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>';
    return { status: 200, body };
  }
  return { status: method === "DELETE" ? 204 : 404 };
}

describe("s3:// beyond what fauxqs checks", () => {
  let store: ObjectStore | undefined;
  let server: Awaited<ReturnType<typeof startRecordingS3>> | undefined;
  afterEach(async () => {
    await store?.close();
    await server?.stop();
  });
  async function start(answer: (request: RecordedRequest) => S3Answer) {
    server = await startRecordingS3(answer);
    store = createObjectStore({ s3: s3OptionsFor(server.port) });
    return { store, requests: server.requests };
  }

  test("ifAbsent sends If-None-Match: * and 412 is object-exists", async () => {
    const { store, requests } = await start(() => s3Error(412, "PreconditionFailed"));
    await assert.rejects(
      store.put(URI, "x", { ifAbsent: true, contentType: "text/plain" }),
      tagged("object-exists"),
    );
    assert.equal(requests.length, 1, "a first answer of 412 needs no second look");
    assert.equal(requests[0]?.headers["if-none-match"], "*");
    assert.equal(requests[0]?.headers["content-type"], "text/plain");
  });

  test("a plain put sends no condition", async () => {
    const { store, requests } = await start(({ method }) =>
      method === "HEAD" ? { status: 404 } : { status: 200, headers: { etag: '"e"' } },
    );
    assert.equal((await store.put(URI, "x")).etag, "e");
    assert.equal(requests[0]?.headers["if-none-match"], undefined);
    assert.equal(requests[0]?.headers[PUT_ID], undefined);
  });

  test("a large ifAbsent upload puts the condition on its last request, and cleans up when it loses", async () => {
    const { store, requests } = await start((request) =>
      request.method === "POST" && request.query.has("uploadId")
        ? s3Error(412, "PreconditionFailed")
        : acceptParts(request),
    );
    await assert.rejects(store.put(URI, megabytes(20), { ifAbsent: true }), tagged("object-exists"));
    const complete = requests.find(({ method, query }) => method === "POST" && query.has("uploadId"));
    assert.equal(complete?.headers["if-none-match"], "*");
    assert.deepEqual(
      requests.filter(({ method }) => method === "DELETE").map(({ query }) => query.get("uploadId")),
      ["u1"],
    );
  });

  test("a large body in memory goes up in parts", async () => {
    const { store, requests } = await start(acceptParts);
    const info = await store.put(URI, new Uint8Array(2 * BIG));
    assert.deepEqual([info.etag, info.size], ["whole", 2 * BIG]);
    assert.equal(requests.filter(({ query }) => query.has("partNumber")).length, 5);
  });

  test("a cancelled upload stops its part at once and removes what is there", async () => {
    const controller = new AbortController();
    const { store, requests } = await start((request) => {
      if (!request.query.has("partNumber")) return acceptParts(request);
      queueMicrotask(() => controller.abort());
      return "hang";
    });
    await assert.rejects(store.put(URI, megabytes(20), { signal: controller.signal }), tagged("cancelled"));
    assert.equal(requests.at(-1)?.method, "DELETE");
    assert.equal(
      requests.filter(({ method, query }) => method === "POST" && query.has("uploadId")).length,
      0,
    );
  });

  test("a body that fails midway removes its parts", async () => {
    const { store, requests } = await start(acceptParts);
    async function* broken() {
      yield* megabytes(20);
      throw new RangeError("mine");
    }
    await assert.rejects(store.put(URI, broken(), { signal: new AbortController().signal }), RangeError);
    assert.equal(requests.at(-1)?.method, "DELETE");
  });

  test("a put that won but lost the answer knows its own object", async () => {
    let putId: string | undefined;
    const { store } = await start(({ method, headers }) => {
      if (method === "HEAD") {
        const times = { "last-modified": "Wed, 21 Oct 2026 07:28:00 GMT", "content-length": "1" };
        return { status: 200, headers: { etag: '"e1"', [PUT_ID]: putId ?? "", ...times } };
      }
      if (putId !== undefined) return s3Error(412, "PreconditionFailed");
      putId = String(headers[PUT_ID]);
      return "drop";
    });
    const info = await store.put(URI, "x", { ifAbsent: true });
    assert.deepEqual([info.etag, info.size], ["e1", 1]);
    assert.equal(info.lastModified.toISOString(), "2026-10-21T07:28:00.000Z");
  });

  test("a repeated put that meets another's object has lost", async () => {
    let first = true;
    const { store } = await start(({ method }) => {
      if (method === "HEAD") return { status: 200, headers: { etag: '"e"', [PUT_ID]: "another" } };
      if (!first) return s3Error(412, "PreconditionFailed");
      first = false;
      return "drop";
    });
    await assert.rejects(store.put(URI, "x", { ifAbsent: true }), tagged("object-exists"));
  });

  test("a conflict of conditional writes is tried again", async () => {
    let puts = 0;
    const { store } = await start(({ method }) => {
      if (method === "HEAD") return { status: 404 };
      puts += 1;
      return puts < 3
        ? s3Error(409, "ConditionalRequestConflict")
        : { status: 200, headers: { etag: '"e"' } };
    });
    await store.put(URI, "x", { ifAbsent: true });
    assert.equal(puts, 3);
  });

  test("statuses: denied, busy, unreachable", async () => {
    const denied = await start(() => s3Error(403, "AccessDenied"));
    await assert.rejects(denied.store.get(URI), tagged("permission-denied"));
    await assert.rejects(denied.store.head(URI), tagged("permission-denied"));
    await denied.store.close();
    await server?.stop();
    const busy = await start(() => s3Error(503, "SlowDown"));
    await assert.rejects(busy.store.get(URI), tagged("store-unavailable"));
    assert.ok(busy.requests.length > 1, "the client tries again by itself");
    await server?.stop();
    await assert.rejects(busy.store.get(URI), tagged("store-unavailable"));
  });

  test("an answer cut short is an error, never short data", async () => {
    const { store } = await start(() => ({
      status: 200,
      headers: { "content-length": "10" },
      body: "12345",
    }));
    const reading = store.get(URI);
    setTimeout(() => server?.stop(), 50);
    await assert.rejects(reading, (error: unknown) => {
      assert.ok(error instanceof ObjectStoreError);
      assert.ok(["store-unavailable", "corrupt-transfer"].includes(error.tag), error.tag);
      return error.retryable;
    });
  });

  test("parts fit S3's limit of 10 000 at any size", () => {
    const MiB = 1024 * 1024;
    assert.equal(partSizeFor(100 * MiB), 8 * MiB);
    assert.ok(Math.ceil((5 * 1024 ** 4) / partSizeFor(5 * 1024 ** 4)) <= 10_000);
    assert.equal(partSizeFor(undefined), 8 * MiB);
  });
});
