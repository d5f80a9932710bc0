import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { createH5, Hdf5Error, openH5 } from "./index.ts";
import type { DatasetInput, DatasetValues, H5Numbers, H5Type, H5Writer } from "./types.ts";
import { lookup3 } from "./write/lookup3.ts";

const folder = mkdtempSync(join(tmpdir(), "cytomesh-hdf5-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "file.h5");
const strings: H5Type = { kind: "string", size: "variable", utf8: true };
const float32: H5Type = { kind: "float", size: 4 };
const int32: H5Type = { kind: "int", size: 4, signed: true };
const boolean: H5Type = {
  kind: "enum",
  base: { kind: "int", size: 1, signed: true },
  members: { FALSE: 0, TRUE: 1 },
};

async function roundTrip(input: DatasetInput, values: DatasetValues) {
  const out = createH5(path);
  out.dataset("/d", input, values);
  out.finish();
  const file = await openH5(path);
  try {
    const info = file.dataset("/d");
    return { info, values: file.read(info) };
  } finally {
    file.close();
  }
}

test("numbers of every type come back", async () => {
  const arrays: [H5Type, H5Numbers][] = [
    [{ kind: "int", size: 1, signed: true }, Int8Array.of(-128, 127)],
    [{ kind: "int", size: 1, signed: false }, Uint8Array.of(0, 255)],
    [{ kind: "int", size: 2, signed: true }, Int16Array.of(-32768, 32767)],
    [{ kind: "int", size: 2, signed: false }, Uint16Array.of(0, 65535)],
    [int32, Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
    [{ kind: "int", size: 4, signed: false }, Uint32Array.of(0, 2 ** 32 - 1)],
    [{ kind: "int", size: 8, signed: true }, BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)],
    [{ kind: "int", size: 8, signed: false }, BigUint64Array.of(0n, 2n ** 64n - 1n)],
    [float32, Float32Array.of(-0.5, Number.POSITIVE_INFINITY)],
    [{ kind: "float", size: 8 }, Float64Array.of(Math.PI, Number.NaN)],
    [boolean, Int8Array.of(1, 0)],
  ];
  for (const [type, values] of arrays) {
    for (const deflate of [undefined, { level: 1 }, { level: 6 }]) {
      const back = await roundTrip({ type, shape: [2], ...(deflate ? { deflate } : {}) }, values);
      assert.deepEqual(back.values, values);
      assert.deepEqual(back.info.type, type);
    }
  }
});

test("strings of any content and number come back, in one or many heap collections", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.string({ unit: "grapheme" }).filter((s) => !s.includes("\0")),
        { maxLength: 60 },
      ),
      async (some) => {
        const values = some.map((value) => Buffer.from(value).toString());
        const back = await roundTrip({ type: strings, shape: [values.length] }, values);
        assert.deepEqual(back.values, values);
      },
    ),
    { numRuns: 20, seed: 7 },
  );
  const many = Array.from({ length: 70_000 }, (_, i) => (i % 5 === 0 ? "" : `cell-${i}`));
  many[3] = "x".repeat(200_000);
  assert.deepEqual(
    (await roundTrip({ type: strings, shape: [many.length], deflate: { level: 1 } }, many)).values,
    many,
  );
});

test("a chunk index of several levels leads to every chunk, and any row range can be read", async () => {
  const values = Int32Array.from({ length: 10_000 }, (_, i) => i * 7);
  const out = createH5(path);
  out.dataset("/d", { type: int32, shape: [5_000, 2], deflate: { level: 1 }, chunkRows: 1 }, values);
  out.finish();
  const file = await openH5(path);
  const info = file.dataset("/d");
  assert.deepEqual(info.chunks, [1, 2]);
  assert.deepEqual(file.read(info), values);
  assert.deepEqual(file.read(info, 4_097, 4_099), values.slice(8_194, 8_198));
  assert.throws(() => file.read(info, 3, 5_001), { tag: "invalid-argument" });
  file.close();
  assert.throws(() => file.read(info), { tag: "closed" });
});

test("a dataset grows by appending, across chunk borders", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(500), { maxLength: 20 }), fc.boolean(), async (lengths, compress) => {
      const all = Float32Array.from({ length: lengths.reduce((a, b) => a + b, 0) }, (_, i) => i % 13);
      const out = createH5(path);
      const grown = out.appendable("/d", {
        type: float32,
        shape: [0],
        chunkRows: 64,
        ...(compress ? { deflate: { level: 1 } } : {}),
      });
      let at = 0;
      for (const length of lengths) {
        grown.append(all.subarray(at, at + length));
        at += length;
      }
      out.finish();
      const file = await openH5(path);
      assert.deepEqual(file.read(file.dataset("/d")), all);
      file.close();
    }),
    { numRuns: 25, seed: 3 },
  );
});

test("compounds, fixed strings, scalars, empty arrays and attributes come back", async () => {
  const record: H5Type = {
    kind: "compound",
    size: 24,
    members: [
      { name: "index", offset: 0, type: { kind: "string", size: 8, utf8: false } },
      { name: "pca", offset: 8, type: { kind: "array", size: 8, dims: [2], base: float32 } },
      { name: "n", offset: 16, type: { kind: "float", size: 8 } },
    ],
  };
  const rows = new Map<string, H5Numbers | string[]>([
    ["index", ["a", "bcd"]],
    ["pca", Float32Array.of(1, 2, 3, 4)],
    ["n", Float64Array.of(0.5, 0.25)],
  ]);
  assert.deepEqual((await roundTrip({ type: record, shape: [2] }, rows)).values, rows);
  assert.deepEqual((await roundTrip({ type: strings, shape: [] }, ["one"])).values, ["one"]);
  assert.deepEqual(
    (await roundTrip({ type: float32, shape: [0, 3] }, new Float32Array(0))).values,
    new Float32Array(0),
  );

  const out = createH5(path);
  out.group("/g");
  out.attribute("/g", "text", "ä");
  out.attribute("/g", "whole", 3);
  out.attribute("/g", "flag", true);
  out.attribute("/g", "names", { type: strings, shape: [2], values: ["x", ""] });
  out.attribute("/g", "none", { type: float32, shape: [0], values: new Float32Array(0) });
  out.finish();
  const file = await openH5(path);
  const read = (name: string) => file.attribute("/g", name)?.values;
  assert.deepEqual(read("text"), ["ä"]);
  assert.deepEqual(read("whole"), BigInt64Array.of(3n));
  assert.deepEqual(read("flag"), Int8Array.of(1));
  assert.deepEqual(read("names"), ["x", ""]);
  assert.deepEqual(read("none"), new Float32Array(0));
  assert.equal(read("missing"), undefined);
  assert.deepEqual(file.attributeNames("/g").sort(), ["flag", "names", "none", "text", "whole"]);
  file.close();
});

test("the same calls give the same bytes at any time of day", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 0 });
  const write = (to: string): Buffer => {
    const out = createH5(to);
    out.group("/g");
    out.dataset("/g/s", { type: strings, shape: [3] }, ["a", "b", "c"]);
    out.dataset(
      "/g/x",
      { type: float32, shape: [1000], deflate: { level: 1 } },
      new Float32Array(1000).fill(2),
    );
    out.finish();
    return readFileSync(to);
  };
  const first = write(path);
  t.mock.timers.setTime(86_400_000);
  assert.ok(first.equals(write(join(folder, "other.h5"))));
});

test("calls that contradict themselves are refused", () => {
  const refused = (call: (out: H5Writer) => void, tag: string) => {
    const out = createH5(path);
    assert.throws(
      () => call(out),
      (error) => error instanceof Hdf5Error && error.tag === tag,
    );
    out.abort();
  };
  refused((out) => out.dataset("/no/d", { type: float32, shape: [1] }, Float32Array.of(1)), "not-found");
  refused((out) => out.dataset("/d", { type: float32, shape: [2] }, Float32Array.of(1)), "invalid-argument");
  refused((out) => out.dataset("/d", { type: float32, shape: [1] }, Float64Array.of(1)), "invalid-argument");
  refused((out) => out.dataset("/d", { type: strings, shape: [1] }, ["a\0b"]), "invalid-argument");
  refused((out) => {
    out.group("/g");
    out.group("/g");
  }, "invalid-argument");
  assert.throws(() => createH5(join(folder, "missing", "file.h5")), { tag: "write-failed" });
});

test("lookup3 gives its author's published values", () => {
  assert.equal(lookup3(Buffer.from("Four score and seven years ago")), 0x17770551);
  assert.equal(lookup3(new Uint8Array(0)), 0xdeadbeef);
});
