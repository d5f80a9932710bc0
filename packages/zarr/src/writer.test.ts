import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import {
  createZarr,
  openZarr,
  openZip,
  type WriterOptions,
  type ZarrType,
  type ZarrValues,
} from "./index.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "zarr-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const float64: ZarrType = { kind: "float", size: 8 };

test("types, shapes and attributes come back as they were written, from folder and zip", async (t) => {
  const folder = folderOf(t);
  const written: [string, ZarrType, number[], ZarrValues][] = [
    ["int8", { kind: "int", size: 1, signed: true }, [3], Int8Array.of(-1, 0, 1)],
    ["uint16", { kind: "int", size: 2, signed: false }, [2, 2], Uint16Array.of(1, 2, 3, 65535)],
    ["int64", { kind: "int", size: 8, signed: true }, [2], BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)],
    ["bool", { kind: "bool" }, [3], Uint8Array.of(1, 0, 1)],
    ["float16", { kind: "float", size: 2 }, [3], Float32Array.of(0.5, -2, Number.NaN)],
    ["float64", float64, [2, 1, 2], Float64Array.of(1, Number.NaN, Number.NEGATIVE_INFINITY, -0)],
    ["complex", { kind: "complex", size: 8 }, [2], Float32Array.of(1, 2, 3, 4)],
    ["strings", { kind: "string" }, [3], ["", "ä𝄞", "x".repeat(1000)]],
    ["scalar", float64, [], Float64Array.of(2.5)],
    ["text", { kind: "string" }, [], ["hello"]],
    ["empty", float64, [0], new Float64Array(0)],
    ["flat", float64, [3, 0], new Float64Array(0)],
    ["fixed", { kind: "fixed-string", size: 3 }, [2], ["ab", "𝄞cd"]],
  ];
  const struct: ZarrType = {
    kind: "struct",
    size: 9,
    fields: [
      { name: "a", offset: 0, type: { kind: "bool" }, bigEndian: false, shape: [] },
      { name: "b", offset: 1, type: float64, bigEndian: false, shape: [] },
    ],
  };
  written.push([
    "struct",
    struct,
    [2],
    new Map<string, ZarrValues>([
      ["a", Uint8Array.of(1, 0)],
      ["b", Float64Array.of(3, 4)],
    ]),
  ]);
  for (const name of ["x.zarr", "x.zarr.zip"]) {
    const out = createZarr(join(folder, name));
    out.group("/g", { title: "t" });
    out.attribute("/g", "n", [1, 2.5, null, { deep: true }]);
    out.attribute("/g", "nan", Number.NaN);
    for (const [at, type, shape, values] of written) await out.array(`/g/${at}`, { type, shape }, values);
    await out.finish();
    const reader = openZarr(join(folder, name));
    assert.deepEqual(reader.children("/g"), written.map(([at]) => at).sort());
    assert.deepEqual(reader.node("/g")?.attributes, {
      n: [1, 2.5, null, { deep: true }],
      nan: Number.NaN,
      title: "t",
    });
    for (const [at, type, shape, values] of written) {
      assert.deepEqual(reader.read(`/g/${at}`), values, at);
      const node = reader.node(`/g/${at}`);
      assert.ok(node?.kind === "array");
      assert.deepEqual([node.shape, node.type], [shape, type], at);
    }
    reader.close();
  }
  assert.deepEqual(readdirSync(folder).sort(), ["x.zarr", "x.zarr.zip"]);
});

test("rows appended in any portions are the rows that are read, whatever chunks and shards", async (t) => {
  const folder = folderOf(t);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(9), { maxLength: 8 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom(8, 100, 300, 1e9),
      fc.boolean(),
      fc.boolean(),
      async (portions, width, chunkRows, shardBytes, zip, strings) => {
        const path = join(folder, `${run++}.zarr`);
        const rows = portions.reduce((sum, portion) => sum + portion, 0);
        const all = Array.from({ length: rows * width }, (_, i) => i + 1);
        const options: WriterOptions = { zip, shardBytes };
        const type: ZarrType = strings ? { kind: "string" } : float64;
        const values = strings ? all.map(String) : Float64Array.from(all);
        const out = createZarr(path, options);
        const array = out.appendable("/a", { type, shape: [0, width], chunkRows });
        let at = 0;
        for (const portion of portions) {
          await array.append(values.slice(at, at + portion * width));
          at += portion * width;
        }
        await out.finish();
        const reader = openZarr(path);
        assert.deepEqual(reader.read("/a"), values);
        const half = Math.floor(rows / 2);
        assert.deepEqual(
          reader.read("/a", { start: [half, 0], end: [rows, width] }),
          values.slice(half * width),
        );
        reader.close();
      },
    ),
    { numRuns: 60 },
  );
});

test("a shard holds what its limit allows, and one chunk alone is no shard", async (t) => {
  const path = join(folderOf(t), "x.zarr");
  const out = createZarr(path, { shardBytes: 80 });
  await out.array(
    "/many",
    { type: float64, shape: [23], chunkRows: 5 },
    Float64Array.from({ length: 23 }, (_, i) => i),
  );
  await out.array(
    "/few",
    { type: float64, shape: [8], chunkRows: 5 },
    Float64Array.from({ length: 8 }, (_, i) => i),
  );
  await out.array("/one", { type: float64, shape: [3], chunkRows: 5 }, Float64Array.of(1, 2, 3));
  await out.finish();
  const reader = openZarr(path);
  const layout = (at: string) => {
    const node = reader.node(at);
    return node?.kind === "array" ? [node.chunks, node.shards] : undefined;
  };
  assert.deepEqual(layout("/many"), [[5], [10]]);
  assert.deepEqual(layout("/few"), [[5], [10]]);
  assert.deepEqual(layout("/one"), [[3], undefined]);
  assert.deepEqual(readdirSync(join(path, "many/c")), ["0", "1", "2"]);
});

test("the same calls give the same bytes", async (t) => {
  const folder = folderOf(t);
  const digests = [];
  for (const name of ["a.zip", "b.zip"]) {
    const out = createZarr(join(folder, name));
    out.group("/g", { b: 1, a: 2 });
    const rows = Float64Array.from({ length: 300_000 }, (_, i) => Math.sin(i));
    await out.array("/g/x", { type: float64, shape: [rows.length] }, rows);
    await out.finish();
    digests.push(
      createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex"),
    );
  }
  assert.equal(digests[0], digests[1]);
});

test("what is there is replaced when it is a hierarchy, and left alone when it is something else", async (t) => {
  const folder = folderOf(t);
  const path = join(folder, "x.zarr");
  for (const value of [1, 2]) {
    const out = createZarr(path);
    await out.array("/a", { type: float64, shape: [1] }, Float64Array.of(value));
    await out.finish();
  }
  assert.deepEqual(openZarr(path).read("/a"), Float64Array.of(2));
  const other = join(folder, "photos");
  mkdirSync(other);
  writeFileSync(join(other, "a.jpg"), "x");
  const out = createZarr(other);
  await assert.rejects(out.finish(), { tag: "invalid-argument", message: /left alone/ });
  await out.abort();
  assert.deepEqual(readdirSync(folder).sort(), ["photos", "x.zarr"]);
  assert.ok(existsSync(join(other, "a.jpg")));
});

test("nothing is left after abort, and wrong calls are named", async (t) => {
  const folder = folderOf(t);
  for (const name of ["x.zarr", "x.zip"]) {
    const out = createZarr(join(folder, name));
    await assert.rejects(out.array("/no/a", { type: float64, shape: [1] }, Float64Array.of(1)), {
      tag: "invalid-argument",
    });
    await out.array("/a", { type: float64, shape: [1] }, Float64Array.of(1));
    await assert.rejects(out.array("/a", { type: float64, shape: [1] }, Float64Array.of(1)), {
      tag: "invalid-argument",
    });
    await assert.rejects(out.array("/b", { type: float64, shape: [2] }, Float64Array.of(1)), {
      tag: "invalid-argument",
    });
    await assert.rejects(out.array("/c", { type: { kind: "string" }, shape: [2] }, ["fine", "\ud83e"]), {
      tag: "invalid-argument",
      message: /\/c: string 1 has half of a surrogate pair/,
    });
    assert.throws(() => out.group("/../x"), { tag: "refused-path" });
    await out.abort();
    await out.abort();
    assert.throws(() => out.group("/y"), { tag: "closed" });
  }
  assert.deepEqual(readdirSync(folder), []);
  assert.throws(() => createZarr(join(folder, "no/where.zarr")), { tag: "write-failed" });
});

test("many members: the ZIP64 directory end is written and read", async (t) => {
  const path = join(folderOf(t), "x.zip");
  const out = createZarr(path);
  for (let i = 0; i < 66_000; i++) out.group(`/g${i}`);
  await out.finish();
  const zip = openZip(path);
  assert.equal(zip.names().length, 66_001);
  zip.close();
  const reader = openZarr(path);
  assert.equal(reader.children("/").length, 66_000);
  reader.close();
});
