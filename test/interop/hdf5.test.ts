import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { concatRows, openAnnData } from "@cytomesh/anndata";
import {
  type H5Numbers,
  type H5Reader,
  type H5Values,
  openH5,
  readBatches,
  readParallel,
} from "@cytomesh/hdf5";

const python = process.env.CYTOMESH_PYTHON;
const script = join(import.meta.dirname, "hdf5.py");

/** Values as hdf5.py prints them. */
type Expected =
  | { sha: string }
  | { lengths: number[]; joined: string }
  | string[]
  | { [member: string]: Expected };

interface ExpectedObject {
  kind: "group" | "dataset" | "datatype";
  attributes: Record<string, Expected | null>;
  children?: string[];
  shape?: number[] | null;
  values?: Expected | null;
  rows?: [number, number, Expected];
  columns?: [number, number, number, number, Expected];
}

interface ExpectedFile {
  path: string;
  objects: Record<string, ExpectedObject>;
}

function digest(values: NodeJS.TypedArray): string {
  return createHash("sha256").update(values).digest("hex");
}

function summary(values: H5Values, like: Expected): unknown {
  if (values instanceof BigUint64Array && "references" in like) return { references: values.length };
  if (Array.isArray(values)) return values;
  if (values instanceof Map) {
    const members = like as Record<string, Expected>;
    return Object.fromEntries([...values].map(([name, column]) => [name, summary(column, members[name]!)]));
  }
  if (ArrayBuffer.isView(values)) return { sha: digest(values) };
  const { offsets, values: joined } = values;
  return {
    lengths: Array.from({ length: values.length }, (_, i) => offsets[i + 1]! - offsets[i]!),
    joined: digest(joined as NodeJS.TypedArray),
  };
}

function checkObject(file: H5Reader, path: string, expected: ExpectedObject, label: string): void {
  assert.equal(file.kind(path), expected.kind, label);
  assert.deepEqual(
    file.attributeNames(path),
    Object.keys(expected.attributes).sort(),
    `${label}: attributes`,
  );
  for (const [name, values] of Object.entries(expected.attributes)) {
    const found = file.attribute(path, name)!;
    if (values === null) assert.equal(found.shape, undefined, `${label}@${name}`);
    else assert.deepEqual(summary(found.values, values), values, `${label}@${name}`);
  }
  if (expected.kind === "group") assert.deepEqual(file.children(path), expected.children, label);
  if (expected.children?.includes("outside")) {
    assert.throws(() => file.kind("/outside"), { tag: "refused-link", message: /external link/ }, label);
  }
  if (expected.kind !== "dataset") return;
  if (expected.shape === undefined) {
    assert.throws(() => file.dataset(path), { tag: "refused-link", message: /virtual dataset/ }, label);
    return;
  }
  const info = file.dataset(path);
  assert.deepEqual(info.shape, expected.shape ?? undefined, label);
  if (expected.shape == null) return;
  assert.deepEqual(summary(file.read(info), expected.values!), expected.values, label);
  if (expected.rows !== undefined) {
    const [start, end, values] = expected.rows;
    assert.deepEqual(
      summary(file.read(info, start, end), values),
      values,
      `${label}, rows ${start} to ${end}`,
    );
  }
  if (expected.columns !== undefined) {
    const [start, end, left, right, values] = expected.columns;
    const found = file.read(info, start, end, [left, right]);
    assert.deepEqual(summary(found, values), values, `${label}, columns ${left} to ${right}`);
  }
}

/** The same rows by several threads, whole, in part, and batch by batch; numbers only. */
async function checkParallel(
  file: H5Reader,
  path: string,
  expected: ExpectedObject,
  label: string,
  threadCounts: readonly number[],
): Promise<boolean> {
  if (expected.kind !== "dataset" || expected.shape == null) return false;
  const { type, shape, elementBytes } = file.dataset(path);
  if (!["int", "float", "enum"].includes(type.kind)) return false;
  for (const threads of threadCounts) {
    const whole: H5Numbers = await readParallel(file, path, { threads });
    assert.deepEqual(summary(whole, expected.values!), expected.values, `${label}, ${threads} threads`);
  }
  if (expected.rows !== undefined) {
    const [start, end, values] = expected.rows;
    const some = await readParallel(file, path, { threads: 2, start, end });
    assert.deepEqual(summary(some, values), values, `${label}, rows ${start} to ${end} in parallel`);
    const hash = createHash("sha256");
    const batchBytes = Math.ceil(
      ((end - start) * elementBytes * shape!.slice(1).reduce((a, b) => a * b, 1)) / 3,
    );
    let at = start;
    for await (const batch of readBatches(file, path, { threads: 2, start, end, batchBytes })) {
      assert.equal(batch.start, at, `${label}: batches follow each other`);
      hash.update(batch.values);
      at = batch.end;
    }
    assert.deepEqual({ sha: hash.digest("hex") }, values, `${label}, rows ${start} to ${end} in batches`);
  }
  return true;
}

test("every layout, chunk index, filter and type that h5py writes is read equal", async (t) => {
  if (python === undefined) return t.skip("CYTOMESH_PYTHON is not set");
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-h5py-"));
  try {
    const files = writtenByPython(folder);
    assert.ok(files.length > 25, `${files.length} files`);
    for (const { path, objects } of files) {
      const handed: string[] = [];
      const file = await openH5(path, { debug: (message) => handed.push(message) });
      for (const [name, expected] of Object.entries(objects)) {
        checkObject(file, name, expected, `${basename(path)}:${name}`);
        await checkParallel(file, name, expected, `${basename(path)}:${name}`, [2]);
      }
      file.close();
      // Scale-offset alone is left to the fallback.
      assert.deepEqual(
        handed.filter((message) => !message.includes("filter 6")),
        [],
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("datasets that threads are asked for are read equal by one and by two, in every storage of both byte orders", async (t) => {
  if (python === undefined) return t.skip("CYTOMESH_PYTHON is not set");
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-parallel-"));
  try {
    for (const { path, objects } of writtenByPython(folder, "parallel")) {
      const file = await openH5(path, { engine: "native" });
      let checked = 0;
      for (const [name, expected] of Object.entries(objects)) {
        if (await checkParallel(file, name, expected, `${basename(path)}:${name}`, [1, 2])) checked += 1;
      }
      assert.ok(checked > 90, `${checked} datasets`);
      file.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("matrices in storage of others are the same CSR rows by one thread, by two, and range by range", async (t) => {
  if (python === undefined) return t.skip("CYTOMESH_PYTHON is not set");
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-matrices-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [written] = writtenByPython(folder, "matrices") as unknown as [
    { path: string; layers: Record<string, Record<"indptr" | "indices" | "data", string>> },
  ];
  using file = await openAnnData(written.path);
  assert.ok(file.layers.size > 25, `${file.layers.size} layers`);
  for (const [name, expected] of Object.entries(written.layers)) {
    const layer = file.layers.get(name)!;
    const parts = [...layer.batches(211)].map(({ rows }) => rows);
    const all = { ranges: concatRows(parts), one: await layer.toCsr({ threads: 1 }) };
    for (const [how, rows] of Object.entries({ ...all, two: await layer.toCsr({ threads: 2 }) })) {
      const { indptr, indices, data } = rows;
      const found = { indptr: digest(indptr), indices: digest(indices), data: digest(data) };
      assert.deepEqual(found, expected, `${name}, ${how}`);
    }
  }
});

test("what the filters of hdf5plugin pack is read equal: whole, by rows and in parallel", async (t) => {
  if (python === undefined) return t.skip("CYTOMESH_PYTHON is not set");
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-hdf5plugin-"));
  try {
    for (const { path, objects } of writtenByPython(folder, "plugins")) {
      const file = await openH5(path, { engine: "native" });
      for (const [name, expected] of Object.entries(objects)) {
        const label = `${basename(path)}:${name}`;
        checkObject(file, name, expected, label);
        if (expected.kind !== "dataset" || !/plane$|(i1|i8be)-333$/.test(name)) continue;
        const numbers: H5Numbers = await readParallel(file, name, { threads: 2 });
        assert.deepEqual(summary(numbers, expected.values!), expected.values, `${label}, in parallel`);
      }
      file.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function writtenByPython(folder: string, ...parts: string[]): ExpectedFile[] {
  const out = execFileSync(python!, [script, folder, ...parts], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as ExpectedFile);
}
