import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { buildIndex, type IndexInput, openIndex } from "./index.ts";
import { serializeManifest } from "./manifest.ts";
import { clustered, inputOf, openForTest, temporaryDirectory } from "./test-data.ts";

async function contentsOf(dir: string): Promise<Record<string, Buffer>> {
  const names = (await readdir(dir)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name))])),
  );
}

for (const kind of ["exact", "hnsw"] as const) {
  test(`rebuilding a ${kind} index gives the same bytes`, async (t) => {
    const dir = await temporaryDirectory(t);
    const input = inputOf(2500, 16, "cosine", { kind });
    await buildIndex(input, dir);
    const first = await contentsOf(dir);
    await buildIndex(input, dir);
    assert.deepEqual(await contentsOf(dir), first);
    assert.deepEqual(await readdir(dirname(dir)), ["index"], "nothing is left beside the index");
  });

  test(`damage to any file of a ${kind} index is a typed error`, async (t) => {
    const dir = await temporaryDirectory(t);
    await buildIndex(inputOf(200, 8, "l2", { kind }), dir);
    for (const [name, bytes] of Object.entries(await contentsOf(dir))) {
      const path = join(dir, name);
      const flipped = Buffer.from(bytes);
      flipped[flipped.length >> 1]! ^= 0xff;
      const damages = [
        () => writeFile(path, flipped),
        () => truncate(path, bytes.length - 4),
        () => truncate(path, 0),
        () => writeFile(path, Buffer.concat([bytes, Buffer.alloc(8)])),
        () => rm(path),
      ];
      for (const damage of damages) {
        await damage();
        await assert.rejects(openIndex(dir), (error: { tag?: string }) => {
          return error.tag === "corrupt_index" || (name === "manifest.json" && error.tag === "not_found");
        });
        await writeFile(path, bytes);
      }
    }
    await (await openIndex(dir)).close();
  });
}

test("the manifest records what was built and where it came from", async (t) => {
  const dir = await temporaryDirectory(t);
  const manifest = await buildIndex(inputOf(20, 4, "l2"), dir);
  assert.equal(manifest.kind, "exact");
  assert.deepEqual(manifest.columns, ["tissue", "sex"]);
  assert.deepEqual(manifest.lineage, { model: "m1", curriculum: { seed: 42 } });
  assert.deepEqual(manifest.files["vectors.f32"]?.bytes, 20 * 4 * 4);
  const index = await openForTest(t, dir);
  assert.deepEqual(index.manifest, manifest);
  assert.equal(index.metadata("sex").categories.length, 2);
});

test("the later vector of an id replaces the earlier, with its metadata", async (t) => {
  const dir = await temporaryDirectory(t);
  const input: IndexInput = {
    dimension: 2,
    metric: "cosine",
    ids: Float64Array.of(7, 2 ** 53 - 1, 7, -0),
    vectors: Float32Array.of(1, 0, 0, 1, -1, 0, 0, -1),
    metadata: [{ name: "c", codes: Int32Array.of(0, 1, 1, -1), categories: ["a", "b"] }],
    manifest: {},
  };
  const manifest = await buildIndex(input, dir);
  assert.equal(manifest.size, 3);
  assert.equal(manifest.replaced, 1);
  const index = await openForTest(t, dir);
  assert.deepEqual([...index.ids], [2 ** 53 - 1, 7, 0]);
  assert.deepEqual([...index.metadata("c").codes], [1, 1, -1]);
  const { ids, distances } = await index.search(Float32Array.of(-1, 0), 1, 1);
  assert.deepEqual([ids[0], distances[0]], [7, 0]);
});

test("vectors without a distance to anything are refused by row", async (t) => {
  const dir = await temporaryDirectory(t);
  const zero = clustered(5, 3, 1);
  zero.fill(0, 6, 9);
  const bad = clustered(5, 3, 1);
  bad[13] = Number.NaN;
  await assert.rejects(buildIndex(inputOf(5, 3, "cosine", { vectors: zero }), dir), {
    tag: "invalid_vector",
    row: 2,
  });
  await buildIndex(inputOf(5, 3, "l2", { vectors: zero }), dir);
  for (const metric of ["cosine", "l2", "dot_product"] as const) {
    await assert.rejects(buildIndex(inputOf(5, 3, metric, { vectors: bad }), dir), {
      tag: "invalid_vector",
      row: 4,
    });
  }
});

test("input that does not fit is refused before anything is written", async (t) => {
  const dir = await temporaryDirectory(t);
  const column = { name: "x", codes: new Int32Array(5), categories: ["a"] };
  const wrong: Partial<IndexInput>[] = [
    { dimension: 4 },
    { ids: new Float64Array(), vectors: new Float32Array(), metadata: [] },
    { ids: Float64Array.of(1, 2, 3, 4, 5.5) },
    { ids: Float64Array.of(1, 2, 3, 4, -5) },
    { ids: Float64Array.of(1, 2, 3, 4, 2 ** 53) },
    { connectivity: 1 },
    { expansionAdd: 0 },
    { metadata: [{ ...column, codes: new Int32Array(4) }] },
    { metadata: [{ ...column, codes: Int32Array.of(0, 0, 0, 0, 1) }] },
    { metadata: [{ ...column, categories: ["a", "a"] }] },
    { metadata: [column, column] },
    { metadata: [{ ...column, name: "" }] },
    { manifest: { n: 1n } as unknown as IndexInput["manifest"] },
    { manifest: [] as unknown as IndexInput["manifest"] },
  ];
  for (const part of wrong) {
    await assert.rejects(buildIndex(inputOf(5, 3, "l2", part), dir), { tag: "invalid_argument" });
  }
  await assert.rejects(buildIndex(inputOf(5, 3, "l2"), dir, { signal: AbortSignal.abort() }), {
    tag: "cancelled",
  });
  assert.deepEqual(await readdir(dirname(dir)), []);
});

test("a cancelled graph build leaves the old index in place and no debris", async (t) => {
  const dir = await temporaryDirectory(t);
  await buildIndex(inputOf(30, 4, "l2"), dir);
  const controller = new AbortController();
  const building = buildIndex(inputOf(5000, 16, "l2", { kind: "hnsw" }), dir, { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await assert.rejects(building, { tag: "cancelled" });
  assert.deepEqual(await readdir(dirname(dir)), ["index"]);
  const index = await openForTest(t, dir);
  assert.equal(index.size, 30);
});

test("builds racing for one directory leave one whole index and no debris", async (t) => {
  const dir = await temporaryDirectory(t);
  await buildIndex(inputOf(9, 4, "l2"), dir);
  const races = [100, 200, 300, 400].map((size) => buildIndex(inputOf(size, 4, "l2"), dir));
  for (const result of await Promise.allSettled(races)) {
    if (result.status === "rejected") assert.equal(result.reason.tag, "target_in_use");
  }
  const index = await openForTest(t, dir);
  assert.ok([9, 100, 200, 300, 400].includes(index.size));
  assert.deepEqual(await readdir(dirname(dir)), ["index"]);
});

test("a target below a file is a typed storage error", async (t) => {
  const dir = await temporaryDirectory(t);
  await writeFile(dir, "a file");
  await assert.rejects(buildIndex(inputOf(5, 3, "l2"), dir), { tag: "target_in_use" });
  await assert.rejects(buildIndex(inputOf(5, 3, "l2"), join(dir, "below")), (error: { tag?: string }) => {
    return error.tag === "target_in_use" || error.tag === "storage";
  });
});

test("a directory with other files in it is left alone; a missing index is not found", async (t) => {
  const dir = await temporaryDirectory(t);
  await assert.rejects(openIndex(dir), { tag: "not_found", grpcCode: "not_found", httpStatus: 404 });
  await mkdir(dir);
  await buildIndex(inputOf(5, 3, "l2"), dir);
  const other = join(dirname(dir), "other");
  await mkdir(other);
  await writeFile(join(other, "thesis.txt"), "irreplaceable");
  await assert.rejects(buildIndex(inputOf(5, 3, "l2"), other), { tag: "target_in_use" });
  assert.deepEqual(await readdir(other), ["thesis.txt"]);
});

test("a single changed byte of the manifest is found", async (t) => {
  const dir = await temporaryDirectory(t);
  await buildIndex(inputOf(5, 3, "l2"), dir);
  const path = join(dir, "manifest.json");
  const text = await readFile(path, "utf8");
  assert.ok(text.includes('"model": "m1"'));
  await writeFile(path, text.replace('"model": "m1"', '"model": "m2"'));
  await assert.rejects(openIndex(dir), { tag: "corrupt_index" });
});

test("a manifest that lies about shapes or is of another version is refused", async (t) => {
  const dir = await temporaryDirectory(t);
  await buildIndex(inputOf(20, 4, "dot_product", { kind: "hnsw" }), dir);
  const path = join(dir, "manifest.json");
  const { sha256: _, ...manifest } = JSON.parse(await readFile(path, "utf8"));
  const lies = [
    { dimension: 8 },
    { size: 2 ** 30 },
    { size: -1 },
    { metric: "manhattan" },
    { kind: "magic" },
    { columns: ["a", "b", "c"] },
    { files: {} },
    { graph: { ...manifest.graph, dimension: 4 } },
    { graph: { ...manifest.graph, scale: 0 } },
    { graph: null },
    { lineage: [] },
    { format: "other" },
  ];
  for (const lie of lies) {
    await writeFile(path, serializeManifest({ ...manifest, ...lie }));
    await assert.rejects(openIndex(dir), { tag: "corrupt_index" });
  }
  await writeFile(path, serializeManifest({ ...manifest, version: 2 }));
  await assert.rejects(openIndex(dir), { tag: "unsupported_version" });
});
