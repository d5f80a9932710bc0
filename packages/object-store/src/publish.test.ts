import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createObjectStore, joinUri, publishFolder, putOnce, toUri } from "./index.ts";

async function folder(t: { after(fn: () => unknown): void }, manifest: string) {
  const dir = await mkdtemp(join(tmpdir(), "publish-"));
  t.after(() => rm(dir, { recursive: true }));
  const local = join(dir, "local");
  await mkdir(local);
  await writeFile(join(local, "a.bin"), "data");
  await writeFile(join(local, "manifest.json"), manifest);
  return { local, uri: toUri(join(dir, "store")) };
}

test("putOnce writes once and afterwards returns what stands there", async (t) => {
  const { uri } = await folder(t, "{}");
  const store = createObjectStore();
  const at = joinUri(uri, "x");
  assert.equal(await putOnce(store, at, "first"), undefined);
  assert.equal(Buffer.from((await putOnce(store, at, "second")) ?? []).toString(), "first");
});

test("publishFolder puts the manifest last, and leaves a folder alone whose manifest stands", async (t) => {
  const { local, uri } = await folder(t, '{"n":1}');
  const store = createObjectStore();
  const order: string[] = [];
  const watched = {
    ...store,
    putFile: (to: string, from: string) => store.putFile(to, from).finally(() => order.push(to)),
    put: ((to, body, options) =>
      store.put(to, body, options).finally(() => order.push(to))) as typeof store.put,
  };
  assert.equal((await publishFolder(watched, uri, local)).standing, undefined);
  assert.deepEqual(order, [joinUri(uri, "a.bin"), joinUri(uri, "manifest.json")]);
  await writeFile(join(local, "manifest.json"), '{"n":2}');
  const again = await publishFolder(watched, uri, local);
  assert.equal(Buffer.from(again.manifest).toString(), '{"n":2}');
  assert.equal(Buffer.from(again.standing ?? []).toString(), '{"n":1}');
  assert.equal(order.length, 2);
});
