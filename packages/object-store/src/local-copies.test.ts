import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
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
