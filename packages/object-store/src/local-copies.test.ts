import assert from "node:assert/strict";
import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { createLocalCopies, createObjectStore, joinUri, type ObjectStore } from "./index.ts";

/** A store whose files are remote as far as readers can tell, and whose downloads are counted and can be held up. */
function remote(store: ObjectStore, gate: () => Promise<void>, downloads: string[]): ObjectStore {
  return {
    ...store,
    localPath: () => undefined,
    async download(uri, path, options) {
      downloads.push(uri);
      await gate();
      return store.download(uri, path, options);
    },
  };
}

test("a file:// folder is used in place", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "copies-"));
  t.after(() => rm(dir, { recursive: true }));
  const copies = createLocalCopies(createObjectStore(), join(dir, "cache"));
  const uri = pathToFileURL(join(dir, "here")).href;
  assert.equal(await copies.folder(uri, "k", { signal: AbortSignal.timeout(5_000) }), join(dir, "here"));
});

test("a remote folder is downloaded once for all who ask, kept, and survives one of them giving up", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "copies-"));
  t.after(() => rm(dir, { recursive: true }));
  const base = createObjectStore();
  const uri = pathToFileURL(join(dir, "far")).href;
  await base.put(joinUri(uri, "a.txt"), "one");
  await base.put(joinUri(uri, "sub", "b.txt"), "two");
  const downloads: string[] = [];
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const copies = createLocalCopies(
    remote(base, () => gate, downloads),
    join(dir, "cache"),
  );
  const impatient = new AbortController();
  const first = copies.folder(uri, "far", { signal: impatient.signal });
  const second = copies.folder(uri, "far", { signal: AbortSignal.timeout(5_000) });
  impatient.abort(new Error("gave up"));
  await assert.rejects(first, /gave up/);
  open();
  const path = await second;
  assert.equal(await readFile(join(path, "a.txt"), "utf8"), "one");
  assert.equal(await readFile(join(path, "sub/b.txt"), "utf8"), "two");
  assert.equal(await copies.folder(uri, "far", { signal: AbortSignal.timeout(5_000) }), path);
  assert.equal(downloads.length, 2);
});

test("a download that fails leaves nothing behind that looks complete", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "copies-"));
  t.after(() => rm(dir, { recursive: true }));
  const base = createObjectStore();
  const uri = pathToFileURL(join(dir, "far")).href;
  await base.put(joinUri(uri, "a.txt"), "one");
  const downloads: string[] = [];
  const broken = createLocalCopies(
    remote(base, () => Promise.reject(new Error("line cut")), downloads),
    join(dir, "cache"),
  );
  await assert.rejects(broken.folder(uri, "far", { signal: AbortSignal.timeout(5_000) }), /line cut/);
  const healed = createLocalCopies(
    remote(base, () => Promise.resolve(), downloads),
    join(dir, "cache"),
  );
  const path = await healed.folder(uri, "far", { signal: AbortSignal.timeout(5_000) });
  assert.equal(await readFile(join(path, "a.txt"), "utf8"), "one");
});

/** A folder in a store that is remote as far as readers can tell. */
async function farFolder(t: TestContext, files: Readonly<Record<string, string>>) {
  const dir = await mkdtemp(join(tmpdir(), "copies-"));
  t.after(() => rm(dir, { recursive: true }));
  const base = createObjectStore();
  const uri = pathToFileURL(join(dir, "far")).href;
  for (const [name, text] of Object.entries(files)) await base.put(joinUri(uri, name), text);
  return { dir, base, uri };
}

const patient = () => ({ signal: AbortSignal.timeout(5_000) });

test("files that an earlier reader did not need are there for one that does", async (t) => {
  const { dir, base, uri } = await farFolder(t, { "a.txt": "one", "b.txt": "two" });
  const downloads: string[] = [];
  const copies = createLocalCopies(
    remote(base, () => Promise.resolve(), downloads),
    join(dir, "cache"),
  );
  const [first, second] = await Promise.all([
    copies.folder(uri, "k", { ...patient(), files: ["a.txt"] }),
    copies.folder(uri, "k", { ...patient(), files: ["b.txt"] }),
  ]);
  assert.equal(await readFile(join(first, "a.txt"), "utf8"), "one");
  assert.equal(await readFile(join(second, "b.txt"), "utf8"), "two");
  const whole = await copies.folder(uri, "k", patient());
  assert.deepEqual((await readdir(whole)).filter((name) => !name.startsWith(".")).sort(), ["a.txt", "b.txt"]);
  await copies.folder(uri, "k", { ...patient(), files: ["a.txt"] });
  assert.equal(downloads.length, 2, "each file came once");
});

test("two processes that share a cache do not pull the folder from under each other's readers", async (t) => {
  const { dir, base, uri } = await farFolder(t, { "a.txt": "one" });
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const [first, second] = gates.map(({ promise }) =>
    createLocalCopies(
      remote(base, () => promise, []),
      join(dir, "cache"),
    ).folder(uri, "k", patient()),
  ) as [Promise<string>, Promise<string>];
  gates[0]?.resolve();
  const path = await first;
  const reader = await open(join(path, "a.txt"));
  t.after(() => reader.close());
  gates[1]?.resolve();
  assert.equal(await second, path);
  assert.equal(await reader.readFile("utf8"), "one");
  assert.equal(await readFile(join(path, "a.txt"), "utf8"), "one");
  assert.deepEqual(await readdir(join(dir, "cache")), ["k"]);
});

test("a download that nobody waits for any more is ended", async (t) => {
  const { dir, base, uri } = await farFolder(t, { "a.txt": "one" });
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  let aborted = false;
  const store: ObjectStore = {
    ...base,
    localPath: () => undefined,
    download: (_uri, _path, options) =>
      new Promise((_, reject) => {
        begun.resolve();
        options?.signal?.addEventListener("abort", () => {
          aborted = true;
          ended.resolve();
          reject(options.signal?.reason);
        });
      }),
  };
  const copies = createLocalCopies(store, join(dir, "cache"));
  const controllers = [new AbortController(), new AbortController()];
  const waiting = controllers.map(({ signal }) =>
    assert.rejects(copies.folder(uri, "k", { signal }), /gave up/),
  );
  await begun.promise;
  controllers[0]?.abort(new Error("gave up"));
  await waiting[0];
  assert.equal(aborted, false);
  controllers[1]?.abort(new Error("gave up"));
  await waiting[1];
  await ended.promise;
});
