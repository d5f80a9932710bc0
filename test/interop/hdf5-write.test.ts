import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createH5, type H5Numbers, type H5Type, type H5Writer } from "@cytomesh/hdf5";

const python = process.env.CYTOMESH_PYTHON;
const folder = mkdtempSync(join(tmpdir(), "cytomesh-hdf5-"));
after(() => rmSync(folder, { recursive: true }));

const strings: H5Type = { kind: "string", size: "variable", utf8: true };
const int32: H5Type = { kind: "int", size: 4, signed: true };
const float32: H5Type = { kind: "float", size: 4 };

function writeNames(out: H5Writer): void {
  for (const group of ["/links", "/frame", "/many", "/soft", "/plain", "/numbers", "/types"])
    out.group(group);
  for (let i = 0; i < 20_000; i++) out.dataset(`/links/${i}`, { type: int32, shape: [] }, Int32Array.of(i));
  const names = Array.from({ length: 36_000 }, (_, i) => `gene ${i}`);
  out.attribute("/frame", "column-order", { type: strings, shape: [names.length], values: names });
  out.attribute("/frame", "encoding-type", "dataframe");
  out.attribute("/frame", "flag", true);
  for (let i = 0; i < 300; i++) out.attribute("/many", `a${i}`, i);
  for (let i = 0; i < 200; i++) out.softLink(`/soft/${i}`, `/links/${i}`);
  out.group("/twins");
  out.dataset("/twins/first", { type: int32, shape: [2] }, Int32Array.of(4, 5));
  out.hardLink("/twins/second", "/twins/first");
  out.hardLink("/links-too", "/links");
}

function writeNumbers(out: H5Writer): void {
  const values = Float32Array.from({ length: 500_000 }, (_, i) => (i % 7) + 1);
  const targets = [
    out.appendable("/numbers/gzip", { type: float32, shape: [0], deflate: { level: 1 } }),
    out.appendable("/numbers/lzf", { type: float32, shape: [0], lzf: true, fletcher32: true }),
    out.appendable("/numbers/gzip6", { type: float32, shape: [0], deflate: { level: 6 }, chunkRows: 3_000 }),
    // Several levels of index.
    out.appendable("/numbers/plain", { type: float32, shape: [0], chunkRows: 100 }),
  ];
  for (let at = 0; at < values.length; at += 70_000) {
    for (const target of targets) target.append(values.subarray(at, at + 70_000));
  }
  const noise = Uint32Array.from(
    { length: 100_000 },
    (_, i) => Number((BigInt(i) * 2_654_435_761n) >> 7n) >>> 0,
  );
  out.dataset(
    "/numbers/noise",
    { type: { kind: "int", size: 4, signed: false }, shape: [100_000], lzf: true, shuffle: false },
    noise,
  );
  const wide = Int32Array.from({ length: 300_000 }, (_, i) => i);
  const shape = [1_000, 300];
  out.dataset(
    "/wide",
    { type: int32, shape, deflate: { level: 1 }, extendable: true, fillValue: Int32Array.of(-9) },
    wide,
  );
  const images = out.appendable("/images", {
    type: { kind: "float", size: 2 },
    shape: [0, 3, 8, 8],
    deflate: { level: 1 },
    chunkPlanes: true,
  });
  for (let i = 0; i < 100; i++) images.append(Float32Array.from({ length: 192 }, (_, k) => (i * 3 + k) % 99));
}

function writeTypes(out: H5Writer): void {
  const numbers: Record<string, [H5Type, H5Numbers]> = {
    int8: [{ kind: "int", size: 1, signed: true }, Int8Array.of(0, 1, 100)],
    uint8: [{ kind: "int", size: 1, signed: false }, Uint8Array.of(0, 1, 100)],
    int16: [{ kind: "int", size: 2, signed: true }, Int16Array.of(0, 1, 100)],
    uint16: [{ kind: "int", size: 2, signed: false }, Uint16Array.of(0, 1, 100)],
    int32: [int32, Int32Array.of(0, 1, 100)],
    uint32: [{ kind: "int", size: 4, signed: false }, Uint32Array.of(0, 1, 100)],
    int64: [{ kind: "int", size: 8, signed: true }, BigInt64Array.of(0n, 1n, 100n)],
    uint64: [{ kind: "int", size: 8, signed: false }, BigUint64Array.of(0n, 1n, 100n)],
    float16: [{ kind: "float", size: 2 }, Float32Array.of(0, 1, 100)],
    float32: [float32, Float32Array.of(0, 1, 100)],
    float64: [{ kind: "float", size: 8 }, Float64Array.of(0, 1, 100)],
  };
  for (const [name, [type, values]] of Object.entries(numbers)) {
    out.dataset(`/types/${name}`, { type, shape: [3], deflate: { level: 1 } }, values);
  }
  const base = { kind: "int", size: 1, signed: true } as const;
  const bool: H5Type = { kind: "enum", base, members: { FALSE: 0, TRUE: 1 } };
  out.dataset("/types/bool", { type: bool, shape: [2], deflate: { level: 1 } }, Int8Array.of(1, 0));
  out.dataset("/types/strings", { type: strings, shape: [3], deflate: { level: 1 } }, ["a", "", "ü"]);
  const fixed: H5Type = { kind: "string", size: 2, utf8: false };
  out.dataset("/types/fixed", { type: fixed, shape: [2], deflate: { level: 1 } }, ["ab", "c"]);
  const members = [
    { name: "id", offset: 0, type: int32 },
    { name: "score", offset: 4, type: { kind: "float", size: 8 } },
  ] satisfies Extract<H5Type, { kind: "compound" }>["members"];
  const columns = new Map<string, H5Numbers>([
    ["id", Int32Array.of(1, 2)],
    ["score", Float64Array.of(0.5, 0.25)],
  ]);
  out.dataset("/types/records", { type: { kind: "compound", size: 12, members }, shape: [2] }, columns);
}

test("libhdf5 reads everything we write and can go on writing to it", {
  skip: python === undefined && "CYTOMESH_PYTHON is not set",
}, () => {
  for (const threads of [1, 2]) {
    const path = join(folder, `written-${threads}.h5`);
    const out = createH5(path, { threads });
    writeNames(out);
    writeNumbers(out);
    writeTypes(out);
    out.finish();
    const script = join(import.meta.dirname, "hdf5_write.py");
    assert.equal(execFileSync(python!, [script, path]).toString().trim(), "ok");
  }
});
