import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { lstat, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { createObjectStore, joinUri, type ObjectStore, ObjectStoreError, toUri } from "./index.ts";
import { fileTestStore, temporaryFolder } from "./testing/stores.ts";

const WORKER = fileURLToPath(new URL("./testing/put-worker.ts", import.meta.url));

function tagged(tag: string) {
  return (error: unknown) => {
    assert.ok(error instanceof ObjectStoreError, `expected an ObjectStoreError, got ${String(error)}`);
    assert.equal(error.tag, tag, error.message);
    return true;
  };
}

async function* lines(child: ChildProcess): AsyncGenerator<string> {
  assert.ok(child.stdout);
  yield* createInterface({ input: child.stdout });
}

describe("file://", () => {
  let at: Awaited<ReturnType<typeof fileTestStore>>;
  let store: ObjectStore;
  beforeEach(async () => {
    at = await fileTestStore();
    store = at.store;
  });
  afterEach(() => at.stop());
  const uri = (...parts: string[]) => joinUri(at.base, ...parts);
  const listed = async (prefix = at.base, from = store) =>
    (await Array.fromAsync(from.list(prefix))).map((o) => o.uri);

  test("property: of many concurrent ifAbsent puts exactly one wins and its bytes stay", async () => {
    let round = 0;
    const property = fc.asyncProperty(fc.integer({ min: 2, max: 24 }), async (callers) => {
      const target = uri("race", `${round++}`);
      const puts = Array.from({ length: callers }, (_, caller) =>
        store.put(target, `${caller}`, { ifAbsent: true }),
      );
      const results = await Promise.allSettled(puts);
      const winners = results.flatMap((result, caller) => (result.status === "fulfilled" ? [caller] : []));
      assert.equal(winners.length, 1);
      for (const result of results) if (result.status === "rejected") tagged("object-exists")(result.reason);
      assert.equal(Buffer.from(await store.get(target)).toString(), `${winners[0]}`);
    });
    await fc.assert(property, { numRuns: 25 });
    assert.equal((await readdir(join(at.path, "race"))).length, round);
  });

  test("exactly one winner across processes", async () => {
    const target = uri("race");
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, [WORKER, "race", target], { stdio: ["pipe", "pipe", "inherit"] }),
    );
    const outputs = children.map((child) => lines(child));
    for (const output of outputs) assert.equal((await output.next()).value, "ready");
    for (const child of children) child.stdin.write("go\n");
    const verdicts = await Promise.all(
      outputs.map(
        async (output) => JSON.parse(String((await output.next()).value)) as { won: boolean; pid: number },
      ),
    );
    const winners = verdicts.filter(({ won }) => won);
    assert.equal(winners.length, 1);
    assert.equal(Buffer.from(await store.get(target)).toString(), `${winners[0]?.pid}`);
    for (const child of children) child.kill();
  });

  test("a writer killed midway leaves nothing visible, and what was there stays", async () => {
    const fresh = uri("fresh");
    const kept = uri("kept");
    await store.put(kept, "before");
    for (const target of [fresh, kept]) {
      const child = spawn(process.execPath, [WORKER, "hang", target], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      for await (const line of lines(child)) {
        assert.equal(line, "half");
        break;
      }
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }
    assert.equal((await readdir(at.path)).length, 3, "one object and two abandoned temporary files");
    assert.equal(await store.head(fresh), undefined);
    assert.deepEqual(await listed(), [kept]);
    assert.equal(Buffer.from(await store.get(kept)).toString(), "before");
  });

  test("abandoned temporary files are swept a day later, young ones are left", async () => {
    const old = join(at.path, `.cytomesh-put-${"a".repeat(24)}.tmp`);
    const young = join(at.path, `.cytomesh-put-${"b".repeat(24)}.tmp`);
    for (const path of [old, young]) await writeFile(path, "x");
    const twoDaysAgo = new Date(Date.now() - 48 * 3600 * 1000);
    await utimes(old, twoDaysAgo, twoDaysAgo);
    await store.put(uri("x"), "x");
    assert.deepEqual((await readdir(at.path)).sort(), [`.cytomesh-put-${"b".repeat(24)}.tmp`, "x"]);
    await assert.rejects(store.get(toUri(young)), tagged("invalid-uri"));
  });

  test("readers never see half of an object while it is replaced", async () => {
    const target = uri("x");
    const size = 300_000;
    await store.put(target, new Uint8Array(size).fill(0));
    let writing = true;
    const writer = (async () => {
      for (let value = 1; value <= 20; value += 1) await store.put(target, new Uint8Array(size).fill(value));
      writing = false;
    })();
    while (writing) {
      const bytes = await store.get(target);
      assert.equal(bytes.length, size);
      assert.ok(bytes.every((byte) => byte === bytes[0]));
    }
    await writer;
  });

  test("a file that is handed over is taken, not copied; a link to one is copied", async (t) => {
    const local = await temporaryFolder();
    t.after(() => local.remove());
    const [source, link] = [join(local.path, "source"), join(local.path, "link")];
    const other = join(local.path, "other");
    for (const path of [source, other]) await writeFile(path, "counts");
    await symlink(source, link);
    for (const [name, from, taken] of [
      ["taken", source, true],
      ["followed", link, false],
    ] as const) {
      await store.putFile(uri("deep", name), from, { handOver: true, ifAbsent: true });
      const there = await lstat(store.localPath(uri("deep", name))!);
      assert.equal(there.isFile(), true);
      assert.equal(there.ino === (await lstat(source)).ino, taken);
      await assert.rejects(
        store.putFile(uri("deep", name), other, { handOver: true, ifAbsent: true }),
        tagged("object-exists"),
      );
    }
    await rm(source);
    for (const name of ["taken", "followed"])
      assert.equal(Buffer.from(await store.get(uri("deep", name))).toString(), "counts");
    assert.deepEqual((await readdir(dirname(store.localPath(uri("deep", "taken"))!))).sort(), [
      "followed",
      "taken",
    ]);
  });

  test("folders and files in each other's way are path conflicts", async () => {
    await store.put(uri("a", "b"), "x");
    await assert.rejects(store.put(uri("a"), "y"), tagged("path-conflict"));
    await assert.rejects(store.put(uri("a"), "y", { ifAbsent: true }), tagged("path-conflict"));
    await assert.rejects(store.put(uri("a", "b", "c"), "y"), tagged("path-conflict"));
    assert.equal(await store.head(uri("a")), undefined);
    assert.equal(await store.head(uri("a", "b", "c")), undefined);
    await assert.rejects(store.get(uri("a")), tagged("object-not-found"));
    await store.delete(uri("a"));
    await store.delete(uri("a", "b", "c"));
    assert.deepEqual(await listed(), [uri("a", "b")]);
  });

  test("a named pipe is not an object and holds nobody up", async () => {
    execFileSync("mkfifo", [join(at.path, "pipe")]);
    assert.equal(await store.head(uri("pipe")), undefined);
    await assert.rejects(store.get(uri("pipe")), tagged("object-not-found"));
    assert.deepEqual(await listed(), []);
  });

  test("a name that is too long is an invalid URI", async () => {
    await assert.rejects(store.put(uri("n".repeat(300)), "x"), tagged("invalid-uri"));
    assert.deepEqual(await readdir(at.path), []);
  });

  test("localPath is the decoded path", async () => {
    assert.equal(store.localPath(uri("a b#1")), join(at.path, "a b#1"));
    assert.equal(store.localPath("s3://cells/x"), undefined);
    assert.throws(() => store.localPath("nonsense"), tagged("invalid-uri"));
  });

  test("links to files are listed, linked folders are not entered", async () => {
    await store.put(uri("real", "x"), "x");
    await symlink(join(at.path, "real", "x"), join(at.path, "link"));
    await symlink(at.path, join(at.path, "real", "loop"));
    await symlink(join(at.path, "nowhere"), join(at.path, "dangling"));
    assert.deepEqual(await listed(), [uri("link"), uri("real", "x")]);
    await store.delete(uri("link"));
    assert.equal((await store.head(uri("real", "x")))?.size, 1);
  });

  test("the body is not touched when the URI is refused", async () => {
    let read = false;
    const body: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]() {
        read = true;
        return { next: async () => ({ done: true, value: undefined }) };
      },
    };
    const narrow = createObjectStore({ fileRoots: [join(at.path, "in")] });
    await assert.rejects(narrow.put(uri("out"), body), tagged("permission-denied"));
    assert.equal(read, false);
  });

  describe("with file roots", () => {
    test("outside is refused by every method, inside works, also before the root exists", async () => {
      const outside = uri("outside");
      await store.put(outside, "secret");
      const narrow = createObjectStore({
        fileRoots: [join(at.path, "root"), toUri(join(at.path, "other root"))],
      });
      await narrow.put(uri("root", "deep", "x"), "1");
      await narrow.put(uri("other root", "y"), "2");
      assert.equal((await narrow.get(uri("root", "deep", "x"))).length, 1);
      const local = await temporaryFolder();
      const calls = [
        () => narrow.head(outside),
        () => narrow.get(outside),
        () => narrow.stream(outside),
        () => narrow.put(outside, "x"),
        () => narrow.delete(outside),
        () => narrow.download(outside, join(local.path, "x")),
        () => Array.fromAsync(narrow.list(at.base)),
        () => narrow.put(uri("root-sibling", "x"), "x"),
        () => narrow.get(`${at.base}root/../outside`),
        () => narrow.get(`${at.base}root/%2e%2e/outside`),
      ];
      for (const call of calls) await assert.rejects(call, tagged("permission-denied"));
      assert.throws(() => narrow.localPath(outside), tagged("permission-denied"));
      assert.equal(await readFile(join(at.path, "outside"), "utf8"), "secret");
      await local.remove();
    });

    test("the root itself can be listed with and without its slash, its siblings stay hidden", async () => {
      await store.put(uri("root", "x"), "x");
      await store.put(uri("root2", "y"), "y");
      const narrow = createObjectStore({ fileRoots: [join(at.path, "root")] });
      assert.deepEqual(await listed(uri("root"), narrow), [uri("root", "x")]);
      assert.deepEqual(await listed(uri("root/"), narrow), [uri("root", "x")]);
    });

    test("links out of the root are refused and unlisted; a root may itself be a link", async () => {
      await store.put(uri("outside", "secret"), "s");
      await mkdir(join(at.path, "root"));
      await symlink(join(at.path, "outside"), join(at.path, "root", "folder"));
      await symlink(join(at.path, "outside", "secret"), join(at.path, "root", "file"));
      await symlink(join(at.path, "outside", "new"), join(at.path, "root", "dangling"));
      await symlink(join(at.path, "root"), join(at.path, "alias"));
      for (const root of ["root", "alias"]) {
        const narrow = createObjectStore({ fileRoots: [join(at.path, root)] });
        await assert.rejects(narrow.get(uri(root, "folder", "secret")), tagged("permission-denied"));
        await assert.rejects(narrow.get(uri(root, "file")), tagged("permission-denied"));
        await assert.rejects(narrow.put(uri(root, "folder", "new"), "x"), tagged("permission-denied"));
        await assert.rejects(narrow.put(uri(root, "dangling", "x"), "x"), ObjectStoreError);
        assert.deepEqual(await listed(uri(`${root}/`), narrow), []);
        await narrow.put(uri(root, "ok"), "x");
        await narrow.delete(uri(root, "ok"));
      }
      assert.deepEqual(await readdir(join(at.path, "outside")), ["secret"]);
    });

    test("no roots at all refuse every file", async () => {
      const none = createObjectStore({ fileRoots: [] });
      await assert.rejects(none.get(uri("x")), tagged("permission-denied"));
    });
  });
});
