import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createObjectStore, joinUri, ObjectStoreError, toUri } from "./index.ts";
import { temporaryFolder } from "./testing/stores.ts";

const tagged = (tag: string) => (error: unknown) => error instanceof ObjectStoreError && error.tag === tag;

test("a process that only uses files loads no SDK", async () => {
  const folder = await temporaryFolder();
  const index = new URL("./index.ts", import.meta.url).href;
  const script = `
    import { registerHooks } from "node:module";
    const seen = [];
    registerHooks({ resolve: (name, context, next) => { seen.push(name); return next(name, context); } });
    const { createObjectStore, toUri } = await import(${JSON.stringify(index)});
    const store = createObjectStore();
    await store.put(toUri(${JSON.stringify(join(folder.path, "x"))}), "x");
    await store.close();
    console.log(JSON.stringify(seen));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  const seen = JSON.parse(output) as string[];
  assert.ok(seen.includes("./object-store.ts"));
  assert.deepEqual(
    seen.filter((name) => /aws|google|smithy/.test(name)),
    [],
  );
  await folder.remove();
});

test("a closed store refuses every call", async () => {
  const store = createObjectStore();
  await store.close();
  await store.close();
  for (const uri of ["file:///tmp/x", "s3://cells/x", "gs://cells/x"]) {
    await assert.rejects(store.head(uri), tagged("store-closed"));
    await assert.rejects(Array.fromAsync(store.list(uri)), tagged("store-closed"));
  }
});

test("unknown schemes and plain paths are invalid URIs everywhere", async () => {
  const store = createObjectStore();
  for (const uri of ["/tmp/x", "https://host/x", "", "cells/x"]) {
    await assert.rejects(store.head(uri), tagged("invalid-uri"));
    await assert.rejects(store.put(uri, "x"), tagged("invalid-uri"));
    await assert.rejects(Array.fromAsync(store.list(uri)), tagged("invalid-uri"));
  }
});

test("a local file that changes while it is stored is stored whole or not at all", async () => {
  const folder = await temporaryFolder();
  const source = join(folder.path, "source");
  await writeFile(source, Buffer.alloc(20 * 1024 * 1024));
  const store = createObjectStore();
  const target = joinUri(toUri(folder.path), "target");
  const putting = store.putFile(target, source);
  await writeFile(source, Buffer.alloc(5));
  // Whichever came first.
  const outcome = await putting.then(
    ({ size }) => size,
    (error: unknown) => (error as ObjectStoreError).tag,
  );
  const there = await store.head(target);
  assert.equal(there?.size, typeof outcome === "number" ? outcome : undefined);
  await folder.remove();
});
