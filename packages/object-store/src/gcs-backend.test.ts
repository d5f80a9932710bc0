import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { crc32c } from "@cytomesh/codecs";
import fc from "fast-check";
import { OAuth2Client } from "google-auth-library";
import { crc32cBase64 } from "./crc32c-base64.ts";
import { createObjectStore, joinUri, ObjectStoreError } from "./index.ts";
import { gcsTestStore } from "./testing/stores.ts";

const MiB = 1024 * 1024;

function tagged(tag: string) {
  return (error: unknown) => {
    assert.ok(error instanceof ObjectStoreError, `expected an ObjectStoreError, got ${String(error)}`);
    assert.equal(error.tag, tag, error.message);
    return true;
  };
}

async function* megabytes(count: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at += 1) yield new Uint8Array(MiB).fill(at);
}

describe("gs:// on the wire", () => {
  let at: Awaited<ReturnType<typeof gcsTestStore>>;
  beforeEach(async () => {
    at = await gcsTestStore();
  });
  afterEach(() => at.stop());
  const uri = (name: string) => joinUri(at.base, name);
  const kinds = () =>
    at.fake.requests.map((request) => /uploadType=(\w+)/.exec(request)?.[1]).filter(Boolean);

  test("one request up to 8 MiB, resumable above, the condition on both", async () => {
    await at.store.put(uri("small"), new Uint8Array(8 * MiB), { ifAbsent: true });
    assert.deepEqual(kinds(), ["multipart"]);
    assert.match(at.fake.requests[0] ?? "", /ifGenerationMatch=0/);
    await at.store.put(uri("big"), new Uint8Array(8 * MiB + 1), { ifAbsent: true });
    assert.deepEqual(kinds(), ["multipart", "resumable"]);
    assert.match(at.fake.requests[1] ?? "", /ifGenerationMatch=0/);
    await at.store.put(uri("small"), "again");
    assert.doesNotMatch(at.fake.requests.at(-1) ?? "", /ifGenerationMatch/);
  });

  test("content type and checksum travel with the object", async () => {
    await at.store.put(uri("x"), "text", { contentType: "text/x-cells" });
    const [object] = at.fake.objects.values();
    assert.equal(object?.resource.contentType, "text/x-cells");
    assert.equal(object?.resource.crc32c, crc32cBase64(crc32c(Buffer.from("text"))));
  });

  test("property: of many concurrent ifAbsent puts exactly one wins, small or resumable", async () => {
    let round = 0;
    const property = fc.asyncProperty(fc.integer({ min: 2, max: 8 }), async (callers) => {
      const target = uri(`race-${round++}`);
      const puts = Array.from({ length: callers }, (_, caller) =>
        at.store.put(target, caller % 4 === 3 ? megabytes(9) : `${caller}`, { ifAbsent: true }),
      );
      const results = await Promise.allSettled(puts);
      assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
      for (const result of results) if (result.status === "rejected") tagged("object-exists")(result.reason);
    });
    await fc.assert(property, { numRuns: 8 });
  });

  test("a put that won but lost the answer knows its own object", async () => {
    let dropped = 0;
    at.fake.dropAnswer = ({ method }) => method === "POST" && dropped++ === 0;
    const info = await at.store.put(uri("x"), "mine", { ifAbsent: true });
    assert.equal(dropped, 2, "sent twice: the second time it met itself");
    assert.deepEqual(await at.store.head(uri("x")), info);
    await assert.rejects(at.store.put(uri("x"), "other", { ifAbsent: true }), tagged("object-exists"));
  });

  test("damage on the way is found by the checksum", async () => {
    await at.store.put(uri("x"), new Uint8Array(1000));
    at.fake.damage = (bytes) => Uint8Array.from(bytes, (byte, index) => (index === 500 ? byte ^ 1 : byte));
    await assert.rejects(at.store.get(uri("x")), tagged("corrupt-transfer"));
  });

  test("a stream damaged on its way up is removed again", async () => {
    at.fake.damageUpload = (bytes) => {
      bytes[500]! ^= 1;
    };
    await assert.rejects(at.store.put(uri("x"), megabytes(9)), tagged("corrupt-transfer"));
    await assert.rejects(at.store.put(uri("y"), "y".repeat(1000)), tagged("corrupt-transfer"));
    assert.equal(at.fake.objects.size, 0);
  });

  test("objects stored compressed come as they are stored, whole and in ranges", async () => {
    const stored = gzipSync("cell ".repeat(1000));
    await at.store.put(uri("x.gz"), stored);
    const [object] = at.fake.objects.values();
    assert.ok(object !== undefined);
    object.resource.contentEncoding = "gzip";
    assert.ok(stored.equals(await at.store.get(uri("x.gz"))));
    assert.ok(stored.subarray(2, 9).equals(await at.store.get(uri("x.gz"), { range: { start: 2, end: 9 } })));
  });

  test("a listing spans pages and leaves folder markers out", async () => {
    at.fake.pageSize = 3;
    for (let item = 0; item < 8; item += 1) await at.store.put(uri(`o${item}`), "x");
    const marker = `${at.base.slice("gs://".length)}folder/`;
    at.fake.objects.set(marker, {
      ...[...at.fake.objects.values()][0]!,
      resource: { name: marker.replace("cells/", "") },
    });
    const found = await Array.fromAsync(at.store.list(at.base));
    assert.deepEqual(
      found.map((info) => info.uri),
      Array.from({ length: 8 }, (_, item) => uri(`o${item}`)),
    );
    assert.equal(at.fake.requests.filter((request) => request.includes("maxResults")).length, 3);
  });

  test("leaving one download early does not disturb others", async () => {
    await at.store.put(uri("big"), megabytes(9));
    const streams = await Promise.all(Array.from({ length: 6 }, () => at.store.stream(uri("big"))));
    for (const stream of streams.slice(0, 3)) stream.destroy();
    const sizes = await Promise.all(
      streams.slice(3).map(async (stream) => {
        let size = 0;
        for await (const chunk of stream) size += (chunk as Uint8Array).length;
        return size;
      }),
    );
    assert.deepEqual(sizes, [9 * MiB, 9 * MiB, 9 * MiB]);
  });

  test("a given auth client is used for custom endpoints too", async () => {
    const authClient = new OAuth2Client();
    authClient.setCredentials({ access_token: "t", expiry_date: Date.now() + 3_600_000 });
    const store = createObjectStore({
      gcs: { apiEndpoint: at.fake.apiEndpoint, projectId: "test", authClient },
    });
    await store.put(uri("x"), "x");
    await store.get(uri("x"));
    await store.head(uri("x"));
    assert.deepEqual([...new Set(at.fake.authorizations)], ["Bearer t"]);
    await store.close();
  });

  test("an unreachable endpoint is retryable", async () => {
    const store = createObjectStore({ gcs: { apiEndpoint: "http://127.0.0.1:1", projectId: "test" } });
    await assert.rejects(store.get(uri("x")), tagged("store-unavailable"));
  });
});
