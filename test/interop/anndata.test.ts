import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { AnnData, AnnDataInput, Column, CsrStream, DataFrame, Matrix } from "@cytomesh/anndata";
import { openAnnData, readFrame, writeH5ad } from "@cytomesh/anndata";

const python = process.env.CYTOMESH_PYTHON;
const omics = join(
  process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../shared/data"),
  "omics",
);
const script = join(import.meta.dirname, "anndata_dump.py");

/** What anndata_dump.py prints, made from what we read. */
interface Dump {
  obs: FrameDump;
  var: FrameDump;
  x: MatrixDump | null;
  raw: { var: FrameDump; x: MatrixDump | null } | null;
  layers: Record<string, MatrixDump | null>;
  obsm: Record<string, { shape: number[]; sha: string }>;
}
interface FrameDump {
  length: number;
  index: string;
  columns: Record<string, Record<string, unknown>>;
}
interface MatrixDump {
  shape: number[];
  nnz: number;
  sha: string;
}

function digest(...arrays: NodeJS.TypedArray[]): string {
  const hash = createHash("sha256");
  for (const array of arrays) hash.update(array);
  return hash.digest("hex");
}

const flags = (values: Iterable<boolean>) => Uint8Array.from(values, Number);
const numbers = (values: ArrayLike<number>) =>
  Float64Array.from(values, (value) => (Number.isNaN(value) ? 0 : value));
const names = (values: readonly string[]) => createHash("sha256").update(values.join("\0")).digest("hex");

function dumpMatrix(matrix: Matrix | undefined): MatrixDump | null {
  if (matrix === undefined) return null;
  // In batches, so that row ranges are tested too.
  const parts = [...matrix.batches(97)].map((batch) => batch.rows);
  const hash = createHash("sha256");
  const indptr = [0n];
  for (const part of parts) {
    const base = indptr.at(-1)!;
    for (let row = 1; row <= part.nRows; row++) indptr.push(base + BigInt(part.indptr[row]!));
  }
  hash.update(BigInt64Array.from(indptr));
  for (const part of parts) hash.update(part.indices);
  for (const part of parts) hash.update(numbers(part.data));
  for (const part of parts) hash.update(flags(Array.from(part.data, Number.isNaN)));
  return { shape: matrix.shape, nnz: Number(indptr.at(-1)), sha: hash.digest("hex") };
}

function dumpColumn(column: Column): Record<string, unknown> {
  if (column.kind === "categorical") {
    return {
      kind: "categorical",
      codes: digest(column.codes),
      categories: column.categories,
      ordered: column.ordered,
    };
  }
  if (column.kind === "string") {
    const missing = flags(column.values.map((value) => value === null));
    return {
      kind: "string",
      values: names(column.values.map((value) => value ?? "")),
      missing: digest(missing),
    };
  }
  const absent = (i: number) => column.mask?.[i] === 1 || Number.isNaN(column.values[i]!);
  const missing = digest(flags(Array.from(column.values, (_, i) => absent(i))));
  if (column.kind === "boolean") {
    return {
      kind: "boolean",
      values: digest(column.values.map((value, i) => (absent(i) ? 0 : value))),
      missing,
    };
  }
  const values = Float64Array.from(column.values, (value, i) => (absent(i) ? 0 : value));
  return { kind: "number", values: digest(values), missing };
}

function dumpFrame(frame: DataFrame): FrameDump {
  const columns = Object.fromEntries(frame.columnNames.map((name) => [name, dumpColumn(frame.column(name))]));
  return { length: frame.length, index: names(frame.index()), columns };
}

function dump(file: AnnData): Dump {
  const readable = file.obsmKeys.flatMap((key) => {
    try {
      const { data, shape } = file.obsm(key);
      return [[key, { shape, sha: digest(numbers(data)) }] as const];
    } catch {
      return [];
    }
  });
  return {
    obs: dumpFrame(file.obs),
    var: dumpFrame(file.var),
    x: dumpMatrix(file.x),
    raw: file.raw === undefined ? null : { var: dumpFrame(file.raw.var), x: dumpMatrix(file.raw.x) },
    layers: Object.fromEntries([...file.layers].map(([key, matrix]) => [key, dumpMatrix(matrix)])),
    obsm: Object.fromEntries(readable),
  };
}

function pythonDumps(paths: readonly string[], interpreter = python!): (Dump & { error?: string })[] {
  const out = execFileSync(interpreter, [script, ...paths], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function skipReason(): string | false {
  if (python === undefined) return "CYTOMESH_PYTHON is not set";
  return existsSync(omics) ? false : "shared data not present";
}

function files(): string[] {
  return readdirSync(omics).filter((name) => name.endsWith(".h5ad"));
}

test("every file reads as anndata reads it: names, columns, X, raw, layers, embeddings", {
  skip: skipReason(),
}, async (t) => {
  const list = files();
  const expected = pythonDumps(list.map((name) => join(omics, name)));
  for (const [i, name] of list.entries()) {
    await t.test(name, async (t) => {
      const { error, ...theirs } = expected[i]!;
      const file = await openAnnData(join(omics, name));
      t.after(() => file.close());
      const ours = dump(file);
      // What anndata itself refuses can only be read, not compared.
      if (error !== undefined) return t.diagnostic(`anndata cannot read it: ${error}`);
      delete (theirs as Record<string, unknown>).uns;
      assert.deepEqual(ours, theirs);
    });
  }
});

test("files that anndata packs with the filters of hdf5plugin read as the plain one", async (t) => {
  if (python === undefined) return t.skip("CYTOMESH_PYTHON is not set");
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-hdf5plugin-"));
  try {
    execFileSync(python, [join(import.meta.dirname, "anndata_plugins.py"), folder]);
    const dumpOf = async (name: string) => {
      const file = await openAnnData(join(folder, name));
      const made = dump(file);
      file.close();
      return made;
    };
    const plain = await dumpOf("plain.h5ad");
    const theirs = pythonDumps([join(folder, "plain.h5ad")])[0] as unknown as Record<string, unknown>;
    delete theirs.uns;
    assert.deepEqual(plain, theirs);
    const packed = readdirSync(folder).filter((name) => name !== "plain.h5ad");
    assert.equal(packed.length, 5);
    for (const name of packed) assert.deepEqual(await dumpOf(name), plain, name);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what we write, anndata reads back equal", { skip: skipReason() }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-interop-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const list = files();
  const ours: Dump[] = [];
  for (const [i, name] of list.entries()) {
    using file = await openAnnData(join(omics, name));
    const embedding = Float32Array.from({ length: file.nObs * 2 }, (_, i) => i / 3);
    const xFormat = (["csr", "csc", "dense"] as const)[i % 3]!;
    await writeH5ad(join(folder, name), inputOf(file, embedding), { xFormat, xDtype: "float64" });
    ours.push({
      ...dump(file),
      obsm: { X_test: { shape: [file.nObs, 2], sha: digest(numbers(embedding)) } },
    });
  }
  const check = (interpreter: string) => {
    const theirs = pythonDumps(
      list.map((name) => join(folder, name)),
      interpreter,
    );
    for (const [i, name] of list.entries()) {
      const { uns, ...read } = theirs[i]! as Dump & { uns: string[] };
      assert.deepEqual(uns, ["list", "n", "nested", "written"], `${name}: ${JSON.stringify(theirs[i])}`);
      assert.deepEqual(read, ours[i], name);
    }
  };
  await t.test("today's anndata", () => check(python!));
  const old = process.env.CYTOMESH_PYTHON_ANNDATA_08;
  const skip = old === undefined && "CYTOMESH_PYTHON_ANNDATA_08 is not set";
  await t.test("anndata 0.8", { skip }, () => check(old!));
});

function inputOf(file: AnnData, embedding: Float32Array): AnnDataInput {
  const { x, raw } = file;
  return {
    obsm: { X_test: { data: embedding, shape: [file.nObs, 2] } },
    ...(x === undefined ? {} : { x: streamOf(x) }),
    ...(raw === undefined ? {} : { raw: { x: streamOf(raw.x), var: readFrame(raw.var) } }),
    obs: readFrame(file.obs),
    var: readFrame(file.var),
    uns: { written: "by cytomesh", n: 3, list: ["a", "b"], nested: { rate: 0.5, flag: true } },
    layers: Object.fromEntries([...file.layers].map(([key, matrix]) => [key, streamOf(matrix)])),
  };
}

function streamOf(matrix: Matrix): CsrStream {
  return { shape: matrix.shape, batches: matrix.batches(64).map(({ rows }) => rows) };
}
