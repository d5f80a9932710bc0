import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { openStore, openZarr } from "./index.ts";
import { makeFuzzer } from "./testing/fuzz.ts";
import { json, memoryStore } from "./testing/memory-store.ts";
import { naiveZarr } from "./testing/naive.ts";

test("600 mutants are read or refused with a typed error", async () => {
  const fuzz = await makeFuzzer();
  const outcomes = new Map<string, number>();
  for (let seed = 0; seed < 600; seed++) {
    try {
      const outcome = fuzz(seed);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (cause) {
      throw new Error(`mutant ${seed}: ${(cause as Error).stack}`, { cause });
    }
  }
  // Both must happen often, or the mutants prove nothing.
  assert.ok(outcomes.get("read")! > 50 && outcomes.get("corrupt")! > 50, JSON.stringify([...outcomes]));
});

const doc = {
  zarr_format: 3,
  node_type: "array",
  shape: [4],
  data_type: "int32",
  chunk_grid: { name: "regular", configuration: { chunk_shape: [2] } },
  chunk_key_encoding: { name: "default" },
  fill_value: 0,
  codecs: [{ name: "bytes", configuration: { endian: "little" } }],
};

function read(changes: object, maxBytes?: number): unknown {
  const { sync } = memoryStore(new Map([["zarr.json", json({ ...doc, ...changes })]]));
  return openStore(sync, "x", maxBytes).read("/");
}

test("shapes and chunks that claim too much are refused before memory is taken", () => {
  assert.throws(() => read({ shape: [1e15] }), { tag: "too-large" });
  const grid = (chunk: number) => ({
    chunk_grid: { name: "regular", configuration: { chunk_shape: [chunk] } },
  });
  assert.throws(() => read({ shape: [2 ** 28 - 1], ...grid(1) }, 2 ** 31), {
    tag: "too-large",
    message: /chunks/,
  });
  assert.throws(() => read(grid(1e15)), { tag: "too-large" });
  assert.throws(() => read({ shape: [4, 4] }), { tag: "corrupt" });
  assert.throws(() => read(grid(0)), { tag: "corrupt" });
  assert.throws(
    () => read({ data_type: { name: "fixed_length_utf32", configuration: { length_bytes: 2 ** 40 } } }),
    { tag: "too-large" },
  );
  assert.throws(() => read({ shape: new Array(40).fill(1) }), { tag: "corrupt" });
});

test("deep JSON, JSON that is none, and wrong formats are refused", () => {
  const open = (text: string) =>
    openStore(memoryStore(new Map([["zarr.json", new TextEncoder().encode(text)]])).sync, "x");
  assert.throws(() => open(`${"[".repeat(100_000)}`), { tag: "corrupt", message: /nested/ });
  assert.throws(() => open("{"), { tag: "corrupt" });
  assert.throws(() => open("[]"), { tag: "corrupt" });
  assert.throws(() => read({ zarr_format: 4 }), { tag: "corrupt" });
  assert.throws(() => read({ codecs: [{ name: "made-up" }] }), { tag: "unsupported", message: /made-up/ });
  assert.throws(() => read({ data_type: "bfloat16" }), { tag: "unsupported", message: /bfloat16/ });
});

test("an index that points outside its shard is refused", () => {
  const array = { shape: [64], values: Array.from({ length: 64 }, (_, i) => i + 1) };
  const objects = naiveZarr(array, { format: 3, chunks: [16], chunksPerShard: [4], fill: 0 });
  const shard = objects.get("c/0")!;
  objects.set("c/0", shard.slice(400));
  assert.throws(() => openStore(memoryStore(objects).sync, "x").read("/"), {
    tag: "corrupt",
    message: /ends before/,
  });
  objects.set("c/0", shard.slice(0, 20));
  assert.throws(() => openStore(memoryStore(objects).sync, "x").read("/"), {
    tag: "corrupt",
    message: /index/,
  });
});

test("links that lead out of the folder are refused, links inside are followed", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "zarr-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const root = join(folder, "x.zarr");
  mkdirSync(join(root, "a"), { recursive: true });
  writeFileSync(join(folder, "secret"), "12345678");
  writeFileSync(join(root, "zarr.json"), json({ zarr_format: 3, node_type: "group" }));
  writeFileSync(join(root, "a/zarr.json"), json({ ...doc, chunk_key_encoding: { name: "v2" } }));
  writeFileSync(join(root, "a/real"), Int32Array.of(1, 2));
  symlinkSync("real", join(root, "a/0"));
  symlinkSync("../../secret", join(root, "a/1"));
  symlinkSync(folder, join(root, "out"));
  symlinkSync("a", join(root, "in"));
  const reader = openZarr(root);
  t.after(() => reader.close());
  assert.deepEqual(reader.read("/a", { start: [0], end: [2] }), Int32Array.of(1, 2));
  assert.deepEqual(reader.read("/in", { start: [0], end: [2] }), Int32Array.of(1, 2));
  assert.throws(() => reader.read("/a"), { tag: "refused-path" });
  assert.throws(() => reader.node("/out"), { tag: "refused-path" });
  assert.throws(() => reader.node("/a/../../x"), { tag: "refused-path" });
});

test("a small chunk of strings is not unpacked to whatever it likes, and many equal strings are read", () => {
  const strings = (shape: number, chunk: Uint8Array) => {
    const codecs = [{ name: "vlen-utf8" }, { name: "zstd", configuration: { level: 1, checksum: false } }];
    const grid = { name: "regular", configuration: { chunk_shape: [shape] } };
    const document = json({
      ...doc,
      shape: [shape],
      chunk_grid: grid,
      data_type: "string",
      fill_value: "",
      codecs,
    });
    const { sync } = memoryStore(
      new Map([
        ["zarr.json", document],
        ["c/0", zstdCompressSync(chunk)],
      ]),
    );
    return openStore(sync, "x").read("/");
  };
  assert.throws(() => strings(4, new Uint8Array(160 * 1024 ** 2)), {
    tag: "corrupt",
    message: /more bytes than the \d{8} there may be/,
  });
  const [count, text] = [300_000, "B cell, naive, of peripheral blood"];
  const one = Buffer.concat([Buffer.from([text.length, 0, 0, 0]), Buffer.from(text)]);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(count);
  const read = strings(count, Buffer.concat([head, Buffer.alloc(one.length * count, one)])) as string[];
  assert.ok(read.length === count && read.every((value) => value === text));
});
