import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { test } from "node:test";
import { createOpenFiles, type OpenFile } from "./open-files.ts";
import { makeStudy, tempDir, writeStudy } from "./testing.ts";

async function files(t: Parameters<typeof tempDir>[0], count: number): Promise<string[]> {
  const path = await writeStudy(await tempDir(t), makeStudy(10, 5));
  const paths = Array.from({ length: count }, (_, i) => `${path}.${i}.h5ad`);
  for (const one of paths) await copyFile(path, one);
  return paths;
}

const itself = async (file: OpenFile) => file;

test("a file is opened once, with what was found out about it, until it changes", async (t) => {
  const [path] = (await files(t, 1)) as [string];
  const open = createOpenFiles({ maxFiles: 2, maxFileBytes: 1e9 });
  t.after(() => open.close());
  const first = await open.use(path, "v1", itself);
  const expression = first.expression(undefined);
  const again = await open.use(path, "v1", itself);
  assert.equal(again, first);
  assert.equal(again.expression(undefined), expression);
  assert.notEqual(await open.use(path, "v2", itself), first);
});

test("the file used least recently is closed when there are too many", async (t) => {
  const [a, b, c] = (await files(t, 3)) as [string, string, string];
  const open = createOpenFiles({ maxFiles: 2, maxFileBytes: 1e9 });
  t.after(() => open.close());
  const firstA = await open.use(a, "v", itself);
  const firstB = await open.use(b, "v", itself);
  await open.use(a, "v", itself);
  await open.use(c, "v", itself);
  assert.equal(open.size, 2);
  assert.equal(await open.use(a, "v", itself), firstA);
  assert.throws(() => firstB.file.obs.index(), { tag: "closed" });
});

test("a large file, and one that failed, are closed after use", async (t) => {
  const [a] = (await files(t, 1)) as [string];
  const small = createOpenFiles({ maxFiles: 2, maxFileBytes: 10 });
  const large = await small.use(a, "v", itself);
  assert.equal(small.size, 0);
  assert.throws(() => large.file.obs.index(), { tag: "closed" });
  const open = createOpenFiles({ maxFiles: 2, maxFileBytes: 1e9 });
  await assert.rejects(
    open.use(a, "v", () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(open.size, 0);
});
