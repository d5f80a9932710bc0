import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { AnnDataError, copyAnnData } from "@cytomesh/anndata";
import { createZarr, openZarr, type ZarrType, type ZarrValues } from "@cytomesh/zarr";

const python = process.env.CYTOMESH_PYTHON;
const omics = join(
  process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../shared/data"),
  "omics",
);
const noPython = python === undefined ? "CYTOMESH_PYTHON is not set" : false;
const noData = noPython || (existsSync(omics) ? false : "shared data not present");

interface Described {
  path: string;
  name: string;
  shape: number[];
  values: string[];
  dtype?: string;
}

function run(script: string, args: readonly string[]): string[] {
  const path = join(import.meta.dirname, script);
  const out = execFileSync(python!, [path, ...args], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return out.trim().split("\n");
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-zarr-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Values as the Python side prints them, floats as the number they are. */
function texts(values: ZarrValues): string[] {
  if (values instanceof Map) return [...values.values()].flatMap(texts);
  return Array.from(values as Iterable<unknown>, (value) => String(value));
}

function sameText(found: string, expected: string): boolean {
  if (found === expected) return true;
  const number = Number(expected.replace(/^(-?)inf$/, "$1Infinity"));
  return Number(found) === number || (expected === "nan" && found === "NaN");
}

test("what zarr-python writes reads equal: types, orders, codecs, fills, shards; v2 and v3; folders, zips, consolidated", {
  skip: noPython,
}, (t) => {
  const folder = folderOf(t);
  const described = run("zarr_files.py", ["write", folder]).map((line) => JSON.parse(line) as Described);
  assert.ok(described.length > 400, `${described.length} arrays`);
  for (const { path, name, shape, values } of described) {
    const consolidated = path.endsWith(".zarr") ? [path.replace(".zarr", "c.zarr")] : [];
    for (const at of [path, ...consolidated]) {
      const reader = openZarr(at);
      const where = `${basename(at)}/${name}`;
      const node = reader.node(name);
      assert.ok(node?.kind === "array", where);
      assert.deepEqual(node.shape, shape, where);
      const found = texts(reader.read(name));
      assert.equal(found.length, values.length, where);
      const wrong = found.findIndex((text, i) => !sameText(text, values[i]!));
      assert.equal(
        wrong,
        -1,
        `${where}[${wrong}] is ${found[wrong]}, expected ${values[wrong]} (${node.codecs})`,
      );
      assert.deepEqual(reader.node("sub/deep")?.attributes, { k: "v" });
      reader.close();
    }
  }
});

test("what we write zarr-python reads equal: types, shards, zips, consolidated metadata", {
  skip: noPython,
}, async (t) => {
  const folder = folderOf(t);
  const rows = 1000;
  const numbers = Float64Array.from({ length: rows * 3 }, (_, i) => (i % 11 === 0 ? Number.NaN : i / 7));
  const arrays: [string, ZarrType, number[], ZarrValues, string][] = [
    ["bool", { kind: "bool" }, [3], Uint8Array.of(1, 0, 1), "bool"],
    ["empty", { kind: "float", size: 4 }, [0], new Float32Array(0), "float32"],
    ["float16", { kind: "float", size: 2 }, [2], Float32Array.of(0.5, -2), "float16"],
    ["float64", { kind: "float", size: 8 }, [rows, 3], numbers, "float64"],
    ["int64", { kind: "int", size: 8, signed: true }, [2], BigInt64Array.of(-(2n ** 63n), 5n), "int64"],
    ["scalar", { kind: "int", size: 4, signed: false }, [], Uint32Array.of(7), "uint32"],
    ["strings", { kind: "string" }, [rows], Array.from({ length: rows }, (_, i) => `ä${i}`), "StringDType()"],
  ];
  const paths: string[] = [];
  for (const name of [
    "plain.zarr",
    "plain.zarr.zip",
    "sharded.zarr",
    "sharded.zarr.zip",
    "gzip.zarr",
    "none.zarr",
  ]) {
    const compression = name.startsWith("gzip") ? "gzip" : name.startsWith("none") ? "none" : "zstd";
    const out = createZarr(join(folder, name), {
      compression,
      ...(name.startsWith("sharded") ? { shardBytes: 4000 } : {}),
    });
    out.attribute("/", "title", "t");
    for (const [at, type, shape, values] of arrays) {
      await out.array(at, { type, shape, ...(name.startsWith("plain") ? {} : { chunkRows: 64 }) }, values);
    }
    await out.finish();
    paths.push(join(folder, name));
  }
  const lines = run("zarr_files.py", ["read", ...paths]).map((line) => JSON.parse(line));
  for (const path of paths) {
    const [root, ...found] = lines.filter((line) => line.path === path);
    assert.deepEqual([root.attributes, root.consolidated], [{ title: "t" }, true]);
    assert.deepEqual(
      (found as Described[]).map(({ name, dtype, shape }) => [name, dtype, shape]),
      arrays.map(([name, , shape, , dtype]) => [name, dtype, shape]),
      path,
    );
    for (const [i, [name, , , values]] of arrays.entries()) {
      const ours = texts(values);
      const theirs = (found[i] as Described).values;
      assert.ok(
        ours.length === theirs.length && ours.every((text, k) => sameText(text, theirs[k]!)),
        `${path}: ${name}`,
      );
    }
  }
});

function compare(
  pairs: readonly (readonly [string, string])[],
): { differences?: string[]; unreadable?: string }[] {
  return run("anndata_compare.py", pairs.flat()).map((line) => JSON.parse(line));
}

async function copyAll(
  from: readonly string[],
  folder: string,
  ending: string,
  t: TestContext,
): Promise<[string, string][]> {
  const pairs: [string, string][] = [];
  for (const path of from) {
    const to = join(
      folder,
      basename(path).replace(/\.h5ad$|\.zarr(\.zip)?$/, (end) => `${end.replaceAll(".", "_")}${ending}`),
    );
    try {
      await copyAnnData(path, to);
      pairs.push([path, to]);
    } catch (error) {
      if (!(error instanceof AnnDataError && ["unsupported", "invalid"].includes(error.tag))) throw error;
      t.diagnostic(`${basename(path)}: ${error.message}`);
    }
  }
  return pairs;
}

function assertEqual(pairs: readonly [string, string][], t: TestContext): void {
  for (const [i, { differences, unreadable }] of compare(pairs).entries()) {
    const name = basename(pairs[i]![0]);
    if (unreadable !== undefined) t.diagnostic(`${name}: anndata cannot read it: ${unreadable}`);
    else assert.deepEqual(differences, [], name);
  }
}

test("AnnData that Python writes to zarr, copied to .h5ad and to zarr, is the same object: v2, v3, shards, compressors, zips", {
  skip: noPython,
}, async (t) => {
  const folder = folderOf(t);
  const made = run("zarr_files.py", ["anndata", folder]);
  assert.equal(made.length, 14);
  const pairs = [
    ...(await copyAll(made, folder, ".h5ad", t)),
    ...(await copyAll(made, folder, "_copy.zarr", t)),
    ...(await copyAll(made.slice(-4), folder, "_copy.zarr.zip", t)),
  ];
  assert.equal(pairs.length, 32);
  assertEqual(pairs, t);
});

test("every zarr of the shared data reads as Python's anndata reads it", { skip: noData }, async (t) => {
  const folder = folderOf(t);
  const files = readdirSync(omics).filter((name) => name.endsWith(".zarr.zip"));
  assertEqual(
    await copyAll(
      files.map((name) => join(omics, name)),
      folder,
      ".h5ad",
      t,
    ),
    t,
  );
});

test("every .h5ad of the shared data, copied to zarr, reads in anndata as the original does", {
  skip: noData,
}, async (t) => {
  const folder = folderOf(t);
  const files = readdirSync(omics).filter((name) => name.endsWith(".h5ad"));
  assertEqual(
    await copyAll(
      files.map((name) => join(omics, name)),
      folder,
      ".zarr",
      t,
    ),
    t,
  );
});
