import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createZarr, openParallel } from "./index.ts";

test("threads read what one thread reads: all rows, some rows, small arrays, strings; damage and cancelling are told", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "zarr-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "x.zarr");
  const count = 6_000_000;
  const values = Float32Array.from({ length: count }, (_, i) => i % 1013);
  const out = createZarr(path, { shardBytes: 8_000_000 });
  await out.array("/big", { type: { kind: "float", size: 4 }, shape: [count / 3, 3] }, values);
  await out.array(
    "/small",
    { type: { kind: "int", size: 4, signed: true }, shape: [3] },
    Int32Array.of(1, 2, 3),
  );
  await out.array("/names", { type: { kind: "string" }, shape: [2] }, ["a", "b"]);
  await out.finish();

  const reader = openParallel(path, { threads: 2 });
  t.after(() => reader.close());
  const whole = (await reader.read("/big")) as Float32Array;
  assert.ok(whole.buffer instanceof SharedArrayBuffer);
  assert.ok(Buffer.from(whole.buffer).equals(Buffer.from(values.buffer)));
  const some = (await reader.read("/big", 12_345, 1_900_001)) as Float32Array;
  assert.ok(Buffer.from(some.buffer).equals(Buffer.from(values.slice(12_345 * 3, 1_900_001 * 3).buffer)));
  assert.deepEqual(await reader.read("/small", 1), Int32Array.of(2, 3));
  assert.deepEqual(await reader.read("/names"), ["a", "b"]);
  await assert.rejects(reader.read("/none"), { tag: "not-found" });
  await assert.rejects(reader.read("/big", 5, 9_000_000), { tag: "invalid-argument" });
  await assert.rejects(reader.read("/big", 0, undefined, { signal: AbortSignal.abort() }), {
    tag: "cancelled",
  });

  truncateSync(join(path, "big/c/1/0"), 100);
  const damaged = openParallel(path, { threads: 2 });
  t.after(() => damaged.close());
  await assert.rejects(damaged.read("/big"), { tag: "corrupt" });
});
