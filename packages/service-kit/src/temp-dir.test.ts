import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "./temp-dir.ts";

test("what nobody has touched for a week is cleared away when a service starts", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "temp-dir-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  const dir = join(root, "tmp", "imaging");
  await openTempDir(dir);
  const day = 24 * 60 * 60;
  const now = Date.now() / 1000;
  for (const [name, age] of [
    ["shard-old", 8 * day],
    ["shard-new", 6 * day],
  ] as const) {
    await mkdir(join(dir, name));
    await writeFile(join(dir, name, "cells.f16"), "x");
    await utimes(join(dir, name), now - age, now - age);
  }
  await openTempDir(dir);
  assert.deepEqual(await readdir(dir), ["shard-new"]);
});
