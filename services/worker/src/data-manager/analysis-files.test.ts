import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createObjectStore, type ObjectStore, toUri } from "@cytomesh/object-store";
import { makeStudy, tempDir, writeStudy } from "../services/testing.ts";
import { createAnalysisFiles } from "./analysis-files.ts";

const { signal } = new AbortController();

/** A store that keeps its objects in a folder but shows no path, as a remote one. */
async function bench(t: TestContext, options: { remote: boolean; cacheBytes?: number }) {
  const dir = await tempDir(t);
  const tmp = join(dir, "tmp");
  await mkdir(tmp);
  const path = await writeStudy(dir, makeStudy(10, 5));
  const bytes = await readFile(path);
  const inner = createObjectStore();
  const downloads: string[] = [];
  const store: ObjectStore = options.remote
    ? {
        ...inner,
        localPath: () => undefined,
        async download(uri, to, o) {
          downloads.push(uri);
          await sleep(20);
          return inner.download(uri, to, o);
        },
      }
    : inner;
  const { cacheBytes = 1e9 } = options;
  const open = () => createAnalysisFiles({ store, tempDir: tmp, cacheBytes, readerTimeoutMs: 60_000 });
  const put = async (name: string, content: Uint8Array = bytes) => {
    await writeFile(join(dir, name), content);
    return toUri(join(dir, name));
  };
  return { store, tmp, path, bytes, downloads, open, put };
}

test("a local file is used in place and left alone", async (t) => {
  const { path, open, tmp } = await bench(t, { remote: false });
  const files = await open();
  assert.equal(await files.use(toUri(path), signal, async (file) => file.path), path);
  await files.close();
  assert.ok((await readFile(path)).length > 0);
  assert.deepEqual(await readdir(tmp), []);
});

test("a remote file is fetched once for many readers, and again when it has changed", async (t) => {
  const { bytes, downloads, open, put } = await bench(t, { remote: true });
  const files = await open();
  t.after(() => files.close());
  const uri = await put("a.h5ad");
  const read = () =>
    files.use(uri, signal, async (file) => [file.version, (await readFile(file.path)).length]);
  const [first, ...others] = await Promise.all([read(), read(), read()]);
  for (const other of others) assert.deepEqual(other, first);
  assert.equal(downloads.length, 1);
  await put("a.h5ad", bytes);
  assert.notEqual((await read())[0], first?.[0]);
  assert.equal(downloads.length, 2);
});

test("copies used least recently go when the disk share is full, never those in use", async (t) => {
  const { bytes, downloads, open, put } = await bench(t, { remote: true, cacheBytes: 1 });
  const files = await open();
  t.after(() => files.close());
  assert.ok(bytes.length > 1);
  const a = await put("a.h5ad");
  const b = await put("b.h5ad");
  await files.use(a, signal, async (held) => {
    await files.use(b, signal, async () => {});
    assert.equal((await readFile(held.path)).length, bytes.length);
  });
  await files.use(a, signal, async () => {});
  assert.deepEqual(downloads, [a, b, a]);
});

test("a reader that gives up does not take the copy from the others", async (t) => {
  const { open, put, downloads } = await bench(t, { remote: true });
  const files = await open();
  t.after(() => files.close());
  const uri = await put("a.h5ad");
  const controller = new AbortController();
  const impatient = files.use(uri, controller.signal, async () => "read");
  const patient = files.use(uri, signal, async () => "read");
  await sleep(5);
  controller.abort(new Error("gave up"));
  await assert.rejects(impatient, /gave up/);
  assert.equal(await patient, "read");
  assert.equal(downloads.length, 1);
});

test("a file that is not there, or not AnnData, is a typed error", async (t) => {
  for (const remote of [false, true]) {
    const { open, put, path } = await bench(t, { remote });
    const files = await open();
    await assert.rejects(
      files.use(`${toUri(path)}.none`, signal, async () => {}),
      { tag: "object-not-found" },
    );
    const text = await put("text.h5ad", Buffer.from("this is text"));
    await assert.rejects(
      files.use(text, signal, async () => {}),
      { tag: "not-hdf5", grpcCode: "invalid_argument" },
    );
    await files.close();
  }
});

test("a local file that changes while it is read is an error that says so", async (t) => {
  const { open, put, bytes } = await bench(t, { remote: false });
  const files = await open();
  const uri = await put("a.h5ad");
  await assert.rejects(
    files.use(uri, signal, () => put("a.h5ad", Buffer.concat([bytes, bytes]))),
    { tag: "file-changed", grpcCode: "aborted" },
  );
});

test("copies that a killed process left are removed, those of a living one are not", async (t) => {
  const { open, tmp } = await bench(t, { remote: true });
  await mkdir(join(tmp, "files-999999999-x"));
  await mkdir(join(tmp, `files-${process.ppid}-x`));
  const files = await open();
  await files.close();
  assert.deepEqual(await readdir(tmp), [`files-${process.ppid}-x`]);
});
