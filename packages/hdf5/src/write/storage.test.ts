import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import {
  createH5,
  type H5Numbers,
  type H5Type,
  type H5Writer,
  openH5,
  type ReaderOptions,
} from "../index.ts";

const folder = mkdtempSync(join(tmpdir(), "cytomesh-hdf5-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "file.h5");
const strings: H5Type = { kind: "string", size: "variable", utf8: true };
const int32: H5Type = { kind: "int", size: 4, signed: true };
const engines: NonNullable<ReaderOptions["engine"]>[] = ["native", "wasm"];

function write(calls: (out: H5Writer) => void): void {
  const out = createH5(path);
  calls(out);
  out.finish();
}

test("attributes beyond 64 KiB are kept beside the header, with all others of their object", async () => {
  const names = Array.from({ length: 36_000 }, (_, i) => `gene ${i}`);
  write((out) => {
    out.group("/g");
    out.attribute("/g", "column-order", { type: strings, shape: [names.length], values: names });
    out.attribute("/g", "text", "ä");
    out.attribute("/g", "whole", 3);
    out.dataset("/d", { type: int32, shape: [1] }, Int32Array.of(5));
    const table = Float64Array.from({ length: 20_000 }, (_, i) => i / 7);
    out.attribute("/d", "table", { type: { kind: "float", size: 8 }, shape: [200, 100], values: table });
  });
  for (const engine of engines) {
    const file = await openH5(path, { engine });
    assert.deepEqual(file.attributeNames("/g").sort(), ["column-order", "text", "whole"]);
    assert.deepEqual(file.attribute("/g", "column-order")?.values, names);
    assert.deepEqual(file.attribute("/g", "text")?.values, ["ä"]);
    assert.deepEqual(file.attribute("/g", "whole")?.values, BigInt64Array.of(3n));
    assert.equal(file.attribute("/g", "missing"), undefined);
    assert.deepEqual(file.attribute("/d", "table")?.shape, [200, 100]);
    file.close();
  }
});

test("groups of any number of links, and objects of any number of attributes, are found by every name", async () => {
  for (const count of [127, 128, 129, 7_000]) {
    write((out) => {
      out.group("/links");
      out.dataset("/one", { type: int32, shape: [] }, Int32Array.of(1));
      for (let i = 0; i < count; i++) {
        if (i % 3 === 0) out.hardLink(`/links/${i}`, "/one");
        else if (i % 3 === 1) out.softLink(`/links/${i}`, "/one");
        else out.externalLink(`/links/${i}`, "other.h5", "/one");
      }
      if (count < 200) for (let i = 0; i < count; i++) out.attribute("/links", `attribute ${i}`, i);
    });
    for (const engine of engines) {
      const file = await openH5(path, { engine });
      assert.equal(file.children("/links").length, count);
      for (let i = 0; i < count; i += count > 1_000 ? 1_001 : 7) {
        if (i % 3 < 2) assert.equal(file.kind(`/links/${i}`), "dataset", `link ${i} of ${count}`);
        else assert.throws(() => file.kind(`/links/${i}`), { tag: "refused-link" });
      }
      assert.equal(file.kind("/links/none"), undefined);
      if (count < 200)
        assert.deepEqual(file.attribute("/links", "attribute 77")?.values, BigInt64Array.of(77n));
      file.close();
    }
  }
});

test("an index of links with several leaves holds every name", async () => {
  const count = 20_000;
  write((out) => {
    out.dataset("/one", { type: int32, shape: [] }, Int32Array.of(1));
    out.group("/links");
    for (let i = 0; i < count; i++) out.hardLink(`/links/${i}`, "/one");
  });
  for (const engine of engines) {
    const file = await openH5(path, { engine });
    const names = file.children("/links").map(Number);
    assert.equal(new Set(names).size, count);
    for (let i = 0; i < count; i += 997) assert.equal(file.kind(`/links/${i}`), "dataset");
    file.close();
  }
});

test("every filter, fill value and kind of growing dataset comes back", async () => {
  const storage = fc.record({
    deflate: fc.constantFrom(undefined, 1, 6),
    lzf: fc.boolean(),
    fletcher32: fc.boolean(),
    shuffle: fc.constantFrom(undefined, true, false),
    chunkRows: fc.constantFrom(undefined, 1, 7, 64),
  });
  const lengths = fc.array(fc.nat(150), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(storage, lengths, fc.integer({ min: 1, max: 3 }), async (some, parts, columns) => {
      const total = parts.reduce((sum, part) => sum + part, 0);
      const all = Int32Array.from({ length: total * columns }, (_, i) => (i * i) % 251);
      const input = {
        type: int32,
        shape: columns === 1 ? [0] : [0, columns],
        ...(some.deflate === undefined ? { lzf: some.lzf } : { deflate: { level: some.deflate } }),
        fletcher32: some.fletcher32,
        ...(some.shuffle === undefined ? {} : { shuffle: some.shuffle }),
        ...(some.chunkRows === undefined ? {} : { chunkRows: some.chunkRows }),
      };
      write((out) => {
        const grown = out.appendable("/d", input);
        let at = 0;
        for (const part of parts) {
          grown.append(all.subarray(at * columns, (at + part) * columns));
          at += part;
          assert.equal(grown.rows, at);
        }
      });
      const file = await openH5(path);
      assert.deepEqual(file.read(file.dataset("/d")), all);
      file.close();
    }),
    { numRuns: 60, seed: 11 },
  );
});

test("strings, records, small arrays and 16-bit floats can be appended", async () => {
  const record: H5Type = {
    kind: "compound",
    size: 12,
    members: [
      { name: "id", offset: 0, type: int32 },
      { name: "score", offset: 4, type: { kind: "float", size: 8 } },
    ],
  };
  const pair: H5Type = { kind: "array", size: 8, dims: [2], base: int32 };
  write((out) => {
    const names = out.appendable("/names", { type: strings, shape: [0], deflate: { level: 1 } });
    const records = out.appendable("/records", { type: record, shape: [0], chunkRows: 3 });
    const pairs = out.appendable("/pairs", { type: pair, shape: [0] });
    const halves = out.appendable("/halves", {
      type: { kind: "float", size: 2 },
      shape: [0],
      deflate: { level: 1 },
    });
    for (let i = 0; i < 4; i++) {
      names.append([`a${i}`, "", "ü"]);
      const columns = new Map<string, H5Numbers>([
        ["id", Int32Array.of(i, -i)],
        ["score", Float64Array.of(i / 3, 0)],
      ]);
      records.append(columns);
      pairs.append(Int32Array.of(i, i + 1));
      halves.append(Float32Array.of(i / 2));
    }
    assert.deepEqual([names.rows, records.rows, pairs.rows, halves.rows], [12, 8, 4, 4]);
  });
  const file = await openH5(path);
  const read = (at: string) => file.read(file.dataset(at));
  assert.deepEqual((read("/names") as string[]).slice(9), ["a3", "", "ü"]);
  assert.deepEqual(
    (read("/records") as Map<string, H5Numbers>).get("id"),
    Int32Array.of(0, -0, 1, -1, 2, -2, 3, -3),
  );
  assert.deepEqual(read("/pairs"), Int32Array.of(0, 1, 1, 2, 2, 3, 3, 4));
  assert.deepEqual(read("/halves"), Float32Array.of(0, 0.5, 1, 1.5));
  file.close();
});

test("chunks of one plane are read whole and in part, by both engines", async () => {
  const [rows, planes, side] = [70, 3, 5];
  const values = Float32Array.from({ length: rows * planes * side * side }, (_, i) => i % 2_000);
  const row = planes * side * side;
  write((out) => {
    const images = out.appendable("/images", {
      type: { kind: "float", size: 2 },
      shape: [0, planes, side, side],
      deflate: { level: 1 },
      chunkPlanes: true,
    });
    for (let i = 0; i < rows; i += 7) images.append(values.subarray(i * row, (i + 7) * row));
    assert.equal(images.rows, rows);
    out.dataset("/whole", { type: int32, shape: [2, 3], chunkPlanes: true }, Int32Array.of(1, 2, 3, 4, 5, 6));
  });
  for (const engine of engines) {
    const file = await openH5(path, { engine });
    const info = file.dataset("/images");
    assert.deepEqual(info.shape, [rows, planes, side, side]);
    assert.deepEqual(file.read(info), values);
    assert.deepEqual(file.read(info, 65, 67), values.subarray(65 * row, 67 * row));
    const plane = file.read(info, 66, 67, [1, 2]);
    assert.deepEqual(plane, values.subarray(66 * row + side * side, 66 * row + 2 * side * side));
    assert.deepEqual(file.read(file.dataset("/whole")), Int32Array.of(1, 2, 3, 4, 5, 6));
    file.close();
  }
});

test("what a chunk or a name cannot be is refused", () => {
  const out = createH5(path);
  const refused = (call: () => void) => assert.throws(call, { tag: "invalid-argument" });
  refused(() => out.appendable("/a", { type: int32, shape: [] }));
  refused(() => out.appendable("/b", { type: int32, shape: [0], chunkRows: 0 }));
  refused(() => out.appendable("/b", { type: int32, shape: [0], chunkPlanes: true }));
  refused(() => out.appendable("/b", { type: int32, shape: [0, 2], chunkPlanes: true, chunkRows: 2 }));
  refused(() => out.appendable("/c", { type: int32, shape: [0, 2 ** 31] }));
  refused(() => out.appendable("/d", { type: int32, shape: [0, 2] }).append(Int32Array.of(1, 2, 3)));
  refused(() => createH5(path, { threads: 0 }));
  out.attribute("/", "twice", 1);
  refused(() => out.attribute("/", "twice", 2));
  out.abort();
});

test("short strings share heap collections, also across data that is written in between", async () => {
  const text = (i: number) => "ä".repeat(i % 40) + i;
  const noise = Uint32Array.from({ length: 400_000 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 0);
  write((out) => {
    for (let i = 0; i < 300; i++) {
      out.group(`/g${i}`);
      out.attribute(`/g${i}`, "text", text(i));
      out.attribute(`/g${i}`, "list", { type: strings, shape: [3], values: ["", text(i + 1), "b"] });
      // More than what waits to be written: the open collection is on disk by then.
      if (i % 100 === 50) {
        out.dataset(
          `/d${i}`,
          { type: { kind: "int", size: 4, signed: false }, shape: [noise.length] },
          noise,
        );
      }
    }
    out.attribute("/g0", "nothing", "");
  });
  for (const engine of engines) {
    const file = await openH5(path, { engine });
    for (let i = 0; i < 300; i++) {
      assert.deepEqual(file.attribute(`/g${i}`, "text")?.values, [text(i)]);
      assert.deepEqual(file.attribute(`/g${i}`, "list")?.values, ["", text(i + 1), "b"]);
    }
    assert.deepEqual(file.attribute("/g0", "nothing")?.values, [""]);
    assert.deepEqual(file.read(file.dataset("/d50")), noise);
    file.close();
  }
  const bytes = readFileSync(path);
  let collections = 0;
  for (let at = bytes.indexOf("GCOL"); at >= 0; at = bytes.indexOf("GCOL", at + 1)) collections++;
  assert.ok(collections < 20, `${collections} collections for 900 strings`);
});
