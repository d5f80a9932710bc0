import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ObjectInfo, ObjectStore } from "./index.ts";
import { getJson, joinUri, ObjectStoreError, putJson, sha256Of, withLocalFile } from "./index.ts";
import {
  fileTestStore,
  gcsTestStore,
  s3TestStore,
  type TestStore,
  temporaryFolder,
} from "./testing/stores.ts";

/** Not on fauxqs, which ignores If-None-Match; s3-backend.test.ts checks that against a server which does not. */
const CONDITIONAL = new Set(["file", "gs"]);
const BIG = 9 * 1024 * 1024 + 17;

function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 12345;
  for (let at = 0; at < size; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function listed(store: ObjectStore, prefix: string): Promise<ObjectInfo[]> {
  return Array.fromAsync(store.list(prefix));
}

function tagged(tag: string) {
  return (error: unknown) => {
    assert.ok(error instanceof ObjectStoreError, `expected an ObjectStoreError, got ${String(error)}`);
    assert.equal(error.tag, tag, error.message);
    return true;
  };
}

for (const start of [fileTestStore, s3TestStore, gcsTestStore]) {
  describe(`contract over ${start.name.replace("TestStore", "")}`, () => {
    let at: TestStore;
    let store: ObjectStore;
    let serial = 0;
    before(async () => {
      at = await start();
      store = at.store;
    });
    after(() => at.stop());
    const fresh = (name = "object") => joinUri(at.base, `t${serial++}`, name);

    test("what was put is what head, get, stream and sha256Of see", async () => {
      const uri = fresh("a/b c.bin");
      const bytes = noise(1000);
      const put = await store.put(uri, bytes, { contentType: "application/x-test" });
      assert.equal(put.uri, uri);
      assert.equal(put.size, 1000);
      assert.deepEqual(await store.head(uri), put);
      assert.deepEqual(Buffer.from(await store.get(uri)), bytes);
      assert.deepEqual(Buffer.concat(await (await store.stream(uri)).toArray()), bytes);
      assert.equal(await sha256Of(store, uri), createHash("sha256").update(bytes).digest("hex"));
    });

    test("text, empty and chunked bodies", async () => {
      await store.put(fresh(), "");
      const text = fresh();
      await store.put(text, "zellkern µ");
      assert.equal(Buffer.from(await store.get(text)).toString(), "zellkern µ");
      const empty = fresh();
      assert.equal((await store.put(empty, pieces(new Uint8Array(), 1))).size, 0);
      assert.equal((await store.get(empty)).length, 0);
      assert.equal((await (await store.stream(empty)).toArray()).length, 0);
      const chunked = fresh();
      assert.equal((await store.put(chunked, pieces(noise(5000), 999))).size, 5000);
      assert.deepEqual(Buffer.from(await store.get(chunked)), noise(5000));
    });

    test("a large stream arrives whole and in order", async () => {
      const uri = fresh();
      const bytes = noise(BIG);
      const put = await store.put(uri, pieces(bytes, 700_001));
      assert.equal(put.size, BIG);
      assert.ok(bytes.equals(await store.get(uri)));
      assert.deepEqual(await store.head(uri), put);
      const range = await store.get(uri, { range: { start: BIG - 5, end: BIG + 100 } });
      assert.ok(bytes.subarray(BIG - 5).equals(range));
    });

    test("ranges are half open and clamped to the end", async () => {
      const uri = fresh();
      await store.put(uri, "0123456789");
      const text = async (start: number, end: number) =>
        Buffer.from(await store.get(uri, { range: { start, end } })).toString();
      assert.equal(await text(0, 1), "0");
      assert.equal(await text(3, 7), "3456");
      assert.equal(await text(8, 99), "89");
      assert.equal(await text(0, 10), "0123456789");
      assert.equal(await text(4, 4), "");
      assert.equal(await text(10, 10), "");
      const streamed = await (await store.stream(uri, { range: { start: 2, end: 5 } })).toArray();
      assert.equal(Buffer.concat(streamed).toString(), "234");
      for (const [start, end] of [
        [10, 11],
        [11, 11],
        [5, 4],
        [-1, 3],
        [0.5, 3],
      ] as const) {
        await assert.rejects(text(start, end), tagged("invalid-range"), `[${start}, ${end})`);
      }
    });

    test("an absent object: head undefined, reads not found, delete fine, list empty", async () => {
      const uri = fresh();
      assert.equal(await store.head(uri), undefined);
      await assert.rejects(store.get(uri), tagged("object-not-found"));
      await assert.rejects(store.get(uri, { range: { start: 0, end: 0 } }), tagged("object-not-found"));
      await assert.rejects(store.stream(uri), tagged("object-not-found"));
      await assert.rejects(sha256Of(store, uri), tagged("object-not-found"));
      await assert.rejects(
        withLocalFile(store, uri, async () => 1),
        tagged("object-not-found"),
      );
      await store.delete(uri);
      assert.deepEqual(await listed(store, `${uri}/`), []);
    });

    test("put replaces, the etag moves, delete removes", async () => {
      const uri = fresh();
      const first = await store.put(uri, "one");
      const second = await store.put(uri, "two!");
      assert.notEqual(first.etag, second.etag);
      assert.equal(Buffer.from(await store.get(uri)).toString(), "two!");
      await store.delete(uri);
      assert.equal(await store.head(uri), undefined);
    });

    test("room of the caller takes the bytes, and is not asked for what is refused", async () => {
      const uri = fresh();
      await store.put(uri, new Uint8Array(100).fill(7));
      const asked: number[] = [];
      const memory = new ArrayBuffer(256);
      const room = (bytes: number) => {
        asked.push(bytes);
        return new Uint8Array(memory, 0, bytes);
      };
      const whole = await store.get(uri, { room });
      assert.equal(whole.length, 100);
      assert.ok(whole.every((byte) => byte === 7));
      assert.equal((await store.get(uri, { room, range: { start: 90, end: 200 } })).length, 10);
      await assert.rejects(store.get(uri, { room, maxBytes: 99 }), tagged("object-too-large"));
      for (const bytes of asked) assert.ok(bytes === 100 || bytes === 10, `${bytes}`);
      if (asked.length > 0) assert.equal(whole.buffer, memory);
    });

    test("maxBytes refuses before holding more", async () => {
      const uri = fresh();
      await store.put(uri, noise(100));
      assert.equal((await store.get(uri, { maxBytes: 100 })).length, 100);
      await assert.rejects(store.get(uri, { maxBytes: 99 }), tagged("object-too-large"));
      assert.equal((await store.get(uri, { maxBytes: 10, range: { start: 5, end: 15 } })).length, 10);
    });

    test("odd names survive put, list and get", async () => {
      const base = fresh("odd/");
      const names = [
        "100% #1?.h5ad",
        "plus+and space",
        "ümlaut/é",
        "💥",
        "%41",
        "a&b=c;d",
        "'quote\"",
        "~tilde",
        "[x]{y}",
      ];
      for (const name of names) await store.put(joinUri(base, name), name);
      const found = await listed(store, base);
      assert.deepEqual(found.map(({ uri }) => uri).sort(), names.map((name) => joinUri(base, name)).sort());
      for (const { uri } of found) {
        assert.equal(joinUri(base, Buffer.from(await store.get(uri)).toString()), uri);
      }
    });

    test("list: any depth, sorted by URI, string prefix, sizes", async () => {
      const base = fresh("tree/");
      const names = ["b/2", "a", "b/1", "b-x", "b.x", "b/c/d/e", "bb", "c"];
      for (const name of names) await store.put(joinUri(base, name), name);
      const all = await listed(store, base);
      assert.deepEqual(
        all.map(({ uri }) => uri),
        names.toSorted().map((name) => joinUri(base, name)),
      );
      assert.deepEqual(
        all.map(({ size }) => size),
        names.toSorted().map((name) => name.length),
      );
      assert.deepEqual(all[0], await store.head(joinUri(base, "a")));
      const prefixed = await listed(store, joinUri(base, "b"));
      assert.deepEqual(
        prefixed.map(({ uri }) => uri),
        all.map(({ uri }) => uri).slice(1, 7),
      );
      assert.equal((await listed(store, joinUri(base, "b/"))).length, 3);
    });

    test("ifAbsent creates once and keeps what is there", {
      skip: start === s3TestStore && "fauxqs does not enforce If-None-Match; s3-wire tests do",
    }, async () => {
      assert.ok(CONDITIONAL.has(at.name));
      const uri = fresh();
      await store.put(uri, "first", { ifAbsent: true });
      await assert.rejects(store.put(uri, "second", { ifAbsent: true }), tagged("object-exists"));
      await assert.rejects(
        store.put(uri, pieces(noise(BIG), 1 << 20), { ifAbsent: true }),
        tagged("object-exists"),
      );
      assert.equal(Buffer.from(await store.get(uri)).toString(), "first");
      const big = fresh();
      await store.put(big, pieces(noise(BIG), 1 << 20), { ifAbsent: true });
      await store.delete(big);
      await store.put(big, "again", { ifAbsent: true });
    });

    test("a body that throws: the caller's error comes back and nothing is visible", async () => {
      for (const before of [0, 10, BIG]) {
        const uri = fresh();
        const mine = new Error("matrix row 7 is damaged");
        async function* body() {
          if (before > 0) yield noise(before);
          throw mine;
        }
        await assert.rejects(store.put(uri, body()), (error) => error === mine);
        assert.equal(await store.head(uri), undefined);
        assert.deepEqual(await listed(store, uri), []);
      }
    });

    test("a body of the wrong kind is a TypeError", async () => {
      async function* body() {
        yield "text" as unknown as Uint8Array;
      }
      await assert.rejects(store.put(fresh(), body()), TypeError);
    });

    test("a cancelled put ends at once, even while its body is silent, and shows nothing", async () => {
      for (const before of [10, BIG]) {
        const uri = fresh();
        const controller = new AbortController();
        let returned = false;
        const body: AsyncIterable<Uint8Array> = {
          [Symbol.asyncIterator]() {
            let sent = false;
            return {
              next: () => {
                if (!sent) {
                  sent = true;
                  return Promise.resolve({ done: false, value: noise(before) });
                }
                queueMicrotask(() => controller.abort());
                return new Promise(() => {});
              },
              return: () => {
                returned = true;
                return Promise.resolve({ done: true, value: undefined });
              },
            };
          },
        };
        await assert.rejects(store.put(uri, body, { signal: controller.signal }), tagged("cancelled"));
        assert.ok(returned);
        assert.equal(await store.head(uri), undefined);
      }
    });

    test("an aborted signal stops every call before it starts", async () => {
      const uri = fresh();
      await store.put(uri, "x");
      const signal = AbortSignal.abort();
      const local = await temporaryFolder();
      const calls = [
        () => store.head(uri, { signal }),
        () => store.get(uri, { signal }),
        () => store.stream(uri, { signal }),
        () => store.put(uri, "y", { signal }),
        () => store.download(uri, join(local.path, "x"), { signal }),
        () => store.delete(uri, { signal }),
        () => Array.fromAsync(store.list(at.base, { signal })),
      ];
      for (const call of calls) await assert.rejects(call, tagged("cancelled"));
      assert.deepEqual(await readdir(local.path), []);
      assert.equal(Buffer.from(await store.get(uri)).toString(), "x");
      await local.remove();
    });

    test("a stream can be cancelled or left midway", async () => {
      const uri = fresh();
      await store.put(uri, noise(BIG));
      const controller = new AbortController();
      const stream = await store.stream(uri, { signal: controller.signal });
      await assert.rejects(async () => {
        for await (const _ of stream) controller.abort();
      }, tagged("cancelled"));
      for await (const _ of await store.stream(uri)) break;
      (await store.stream(uri)).destroy();
      const late = new AbortController();
      await store.stream(uri, { signal: late.signal });
      late.abort();
    });

    test("putFile and download carry files of any size, atomically, with a hash", async () => {
      const local = await temporaryFolder();
      for (const size of [0, 10, BIG]) {
        const source = join(local.path, `in-${size}`);
        const bytes = noise(size);
        await writeFile(source, bytes);
        const uri = fresh("copy.bin");
        assert.equal((await store.putFile(uri, source)).size, size);
        const target = join(local.path, "deep/er", `out-${size}`);
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        assert.deepEqual(await store.download(uri, target), { size, sha256 });
        assert.ok(bytes.equals(await readFile(target)));
      }
      await assert.rejects(store.putFile(fresh(), join(local.path, "none")), tagged("object-not-found"));
      await assert.rejects(store.putFile(fresh(), local.path), tagged("path-conflict"));
      await assert.rejects(store.download(fresh(), join(local.path, "none")), tagged("object-not-found"));
      assert.deepEqual((await readdir(local.path)).sort(), ["deep", "in-0", "in-10", `in-${BIG}`].sort());
      await local.remove();
    });

    test("withLocalFile gives a readable path with the same extension and cleans up", async () => {
      const uri = fresh("cells.h5ad");
      await store.put(uri, "content");
      const tmp = await temporaryFolder();
      const seen = await withLocalFile(
        store,
        uri,
        async (path) => {
          assert.ok(path.endsWith("/cells.h5ad"));
          assert.equal(store.localPath(uri) === undefined, (await readdir(tmp.path)).length === 1);
          return readFile(path, "utf8");
        },
        { tmpDir: tmp.path },
      );
      assert.equal(seen, "content");
      const failing = async () => {
        throw new RangeError("mine");
      };
      await assert.rejects(withLocalFile(store, uri, failing, { tmpDir: tmp.path }), RangeError);
      assert.deepEqual(await readdir(tmp.path), []);
      await tmp.remove();
    });

    test("putJson and getJson", async () => {
      const uri = fresh("m.json");
      await putJson(store, uri, { b: [1, "µ"], a: null });
      assert.deepEqual(await getJson(store, uri), { b: [1, "µ"], a: null });
      const parse = (value: unknown) => (value as { b: unknown[] }).b.length;
      assert.equal(await getJson(store, uri, { parse }), 2);
      await assert.rejects(getJson(store, uri, { maxBytes: 3 }), tagged("object-too-large"));
      await store.put(uri, "{");
      await assert.rejects(getJson(store, uri), tagged("invalid-json"));
      await store.put(uri, Uint8Array.of(0x22, 0xff, 0x22));
      await assert.rejects(getJson(store, uri), tagged("invalid-json"));
      await assert.rejects(putJson(store, uri, undefined), TypeError);
    });

    test("folders and buckets are not objects", async () => {
      for (const uri of [`${at.base}folder/`, at.base]) {
        await assert.rejects(store.put(uri, "x"), tagged("invalid-uri"));
        await assert.rejects(store.get(uri), tagged("invalid-uri"));
        await assert.rejects(store.delete(uri), tagged("invalid-uri"));
      }
    });

    test("a missing bucket is named as such", {
      skip: start === fileTestStore && "folders are made as needed, there are no buckets",
    }, async () => {
      const uri = at.base.replace("cells", "elsewhere");
      await assert.rejects(store.put(`${uri}x`, "x"), tagged("bucket-not-found"));
      await assert.rejects(store.get(`${uri}x`), tagged("bucket-not-found"));
      await assert.rejects(listed(store, uri), tagged("bucket-not-found"));
      assert.equal(await store.head(`${uri}x`), undefined);
    });
  });
}
