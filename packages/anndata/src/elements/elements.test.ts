import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { createH5, type H5Type, type H5Writer } from "@cytomesh/hdf5";
import { createH5Sink } from "../h5-sink.ts";
import { AnnDataError, arrayOf, copyAnnData, type Element, openAnnData, writeElement } from "../index.ts";
import type { Values } from "../storage.ts";
import { opened, temporaryFolder, types } from "../test-fixtures.ts";

const folder = temporaryFolder();
after(folder.remove);
const path = folder.path("file.h5ad");
const copy = folder.path("copy.h5ad");

const boolean: H5Type = {
  kind: "enum",
  base: { kind: "int", size: 1, signed: true },
  members: { FALSE: 0, TRUE: 1 },
};

/** obs of `n` rows and an empty var, as 0.7 wrote them. */
function frames(out: H5Writer, n: number): void {
  for (const [where, length] of [
    ["/obs", n],
    ["/var", 0],
  ] as const) {
    out.group(where);
    out.attribute(where, "_index", "_index");
    out.attribute(where, "column-order", { shape: [0], type: types.float64, values: new Float64Array(0) });
    out.dataset(
      `${where}/_index`,
      { type: types.strings, shape: [length] },
      Array.from({ length }, (_, i) => `r${i}`),
    );
  }
}

/** An element in memory, to be compared. */
function plain(element: Element): unknown {
  if ("array" in element) return { ...element, array: read(element.array) };
  switch (element.encoding) {
    case "dict":
    case "anndata":
    case "raw":
      return Object.fromEntries([...element.entries].map(([name, entry]) => [name, plain(entry)]));
    case "dataframe":
      return {
        ...element,
        index: plain(element.index),
        columns: [...element.columns].map(([name, column]) => [name, plain(column)]),
      };
    case "categorical":
      return { ...element, codes: read(element.codes), categories: plain(element.categories) };
    case "csr_matrix":
    case "csc_matrix":
      return {
        ...element,
        indptr: read(element.indptr),
        indices: read(element.indices),
        data: read(element.data),
      };
    case "nullable-integer":
    case "nullable-boolean":
    case "nullable-string-array":
      return { ...element, values: read(element.values), mask: read(element.mask) };
    case "awkward-array":
      return { ...element, buffers: [...element.buffers].map(([name, buffer]) => [name, read(buffer)]) };
    default:
      return element;
  }
}

function read(array: { type: H5Type; shape: readonly number[]; read(): Values }): unknown {
  // Offsets of records in memory are the reader's own affair.
  const { type } = array;
  const members = type.kind === "compound" ? type.members.map((member) => [member.name, member.type]) : type;
  return { type: members, shape: array.shape, values: array.read() };
}

async function written(elements: Record<string, Element>): Promise<void> {
  const sink = createH5Sink(path);
  for (const [name, element] of Object.entries(elements)) await writeElement(sink, `/${name}`, element);
  await sink.finish();
}

const numbers = (type: H5Type, values: Values, shape?: number[]): Element => ({
  encoding: "array",
  array: arrayOf(type, shape ?? [(values as Float64Array).length], values),
});

const everything: Record<string, Element> = {
  f16: numbers({ kind: "float", size: 2 }, Float32Array.of(0.5, Number.NaN, -Infinity, 65_504, 2 ** -24, -0)),
  big: numbers({ kind: "int", size: 8, signed: false }, BigUint64Array.of(2n ** 64n - 1n)),
  cube: numbers(
    types.float32,
    Float32Array.from({ length: 24 }, (_, i) => i),
    [2, 3, 4],
  ),
  flags: numbers(boolean, Int8Array.of(1, 0)),
  none: { encoding: "null" },
  text: { encoding: "string", value: "ü" },
  scalar: { encoding: "numeric-scalar", array: arrayOf(types.int32, [], Int32Array.of(7)) },
  strings: { encoding: "string-array", array: arrayOf(types.strings, [2, 2], ["a", "", "é", "d"]) },
  records: {
    encoding: "rec-array",
    array: arrayOf(
      {
        kind: "compound",
        size: 20,
        members: [
          { name: "name", offset: 0, type: types.strings },
          { name: "n", offset: 16, type: types.int32 },
        ],
      },
      [2],
      new Map<string, Values>([
        ["name", ["x", "yé"]],
        ["n", Int32Array.of(1, -1)],
      ]),
    ),
  },
  cats: {
    encoding: "categorical",
    codes: arrayOf(types.int8, [3], Int8Array.of(1, -1, 0)),
    categories: numbers(types.float64, Float64Array.of(0.5, 1)),
    ordered: true,
  },
  maybe: {
    encoding: "nullable-string-array",
    values: arrayOf(types.strings, [2], ["a", ""]),
    mask: arrayOf(boolean, [2], Int8Array.of(0, 1)),
    naValue: "NaN",
  },
  ragged: {
    encoding: "awkward-array",
    form: '{"class":"NumpyArray"}',
    length: 2,
    buffers: new Map([["node0-data", arrayOf(types.float64, [2], Float64Array.of(1, 2))]]),
  },
};

test("every kind of element comes back with its type, shape and values", async () => {
  await written(everything);
  const out = folder.path("elements.h5ad");
  const file = createH5(out);
  frames(file, 0);
  file.finish();
  // As parts of uns, through a copy.
  const sink = createH5Sink(copy);
  const base = await opened(out);
  await writeElement(sink, "/", {
    encoding: "anndata",
    entries: new Map<string, Element>([
      ["obs", base.element("/obs")],
      ["var", base.element("/var")],
      ["uns", { encoding: "dict", entries: new Map(Object.entries(everything)) }],
    ]),
  });
  await sink.finish();
  const again = folder.path("again.h5ad");
  await copyAnnData(copy, again);
  for (const from of [copy, again]) {
    const reopened = await opened(from);
    for (const [name, element] of Object.entries(everything)) {
      assert.deepEqual(plain(reopened.element(`/uns/${name}`)), plain(element), `${name} in ${from}`);
    }
  }
});

test("an encoding that nobody knows is copied as it lies in the file", async () => {
  const out = createH5(path);
  frames(out, 1);
  out.group("/uns");
  out.group("/uns/future");
  out.attribute("/uns/future", "encoding-type", "quantum");
  out.attribute("/uns/future", "encoding-version", "9.0.0");
  out.attribute("/uns/future", "spins", { shape: [2], type: types.int32, values: Int32Array.of(1, -1) });
  out.dataset("/uns/future/data", { type: types.float64, shape: [2] }, Float64Array.of(1, 2));
  out.finish();
  await copyAnnData(path, copy);
  const element = (await opened(copy)).element("/uns/future");
  assert.ok(element.encoding === "unknown");
  assert.equal(element.encodingType, "quantum");
  assert.deepEqual(element.node.attributes.get("spins")?.values, Int32Array.of(1, -1));
  assert.deepEqual(element.node.children?.get("data")?.array?.read(), Float64Array.of(1, 2));
});

test("circles of links, endless nesting and contradictions are refused, and nothing is left", async () => {
  const cases: [string, (out: H5Writer) => void, string][] = [
    ["a link back to uns", (out) => out.softLink("/uns/loop", "/uns"), "refused-link"],
    [
      "nesting",
      (out) => {
        let where = "/uns";
        for (let i = 0; i < 70; i++) {
          where += "/d";
          out.group(where);
        }
      },
      "too-large",
    ],
    [
      "a code without a category",
      (out) => {
        out.group("/uns/c");
        out.attribute("/uns/c", "encoding-type", "categorical");
        out.attribute("/uns/c", "ordered", false);
        out.dataset("/uns/c/codes", { type: types.int8, shape: [2] }, Int8Array.of(0, 5));
        out.dataset("/uns/c/categories", { type: types.strings, shape: [1] }, ["x"]);
      },
      "invalid",
    ],
    ["an index beyond the matrix", (out) => sparse(out, [0, 2], [0, 9]), "invalid"],
    ["a negative index", (out) => sparse(out, [0, 2], [0, -1]), "invalid"],
    ["offsets that fall", (out) => sparse(out, [2, 0], [0, 1]), "invalid"],
    ["offsets beyond the entries", (out) => sparse(out, [0, 3], [0, 1]), "invalid"],
    ["too few offsets", (out) => sparse(out, [0], [0, 1]), "invalid"],
  ];
  for (const [what, build, tag] of cases) {
    const out = createH5(path);
    frames(out, 1);
    out.group("/uns");
    build(out);
    out.finish();
    const target = folder.path("refused.h5ad");
    await assert.rejects(copyAnnData(path, target), { name: "AnnDataError", tag }, what);
    assert.equal(existsSync(target), false);
  }
  assert.deepEqual(
    readdirSync(folder.path(".")).filter((name) => name.includes(".tmp")),
    [],
  );
});

function sparse(out: H5Writer, indptr: number[], indices: number[]): void {
  out.group("/uns/m");
  out.attribute("/uns/m", "encoding-type", "csr_matrix");
  out.attribute("/uns/m", "shape", { shape: [2], type: types.int64, values: BigInt64Array.of(1n, 3n) });
  const array = (name: string, values: number[]) =>
    out.dataset(`/uns/m/${name}`, { type: types.int32, shape: [values.length] }, Int32Array.from(values));
  array("indptr", indptr);
  array("indices", indices);
  array("data", [1, 2]);
}

test("a copy that is cancelled leaves nothing", async () => {
  const out = createH5(path);
  frames(out, 1);
  out.finish();
  const target = folder.path("cancelled.h5ad");
  await assert.rejects(copyAnnData(path, target, { signal: AbortSignal.abort() }), { tag: "cancelled" });
  assert.equal(existsSync(target), false);
});

test("big arrays are copied some rows at a time", async () => {
  const rows = 3_000_000;
  let largest = 0;
  const sink = createH5Sink(path, { compression: "none" });
  await writeElement(sink, "/x", {
    encoding: "array",
    array: {
      type: types.float64,
      shape: [rows],
      read: (start = 0, end = rows) => {
        largest = Math.max(largest, end - start);
        return new Float64Array(end - start);
      },
    },
  });
  await sink.abort();
  assert.ok(largest > 0 && largest * 8 <= 8 * 1024 * 1024, `${largest} rows at a time`);
});

test("damaged files end in a typed error or are copied", async (t) => {
  const corrupt = join(
    process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../../../shared/data"),
    "corrupt/h5ad",
  );
  if (!existsSync(corrupt)) return t.skip("shared data not present");
  for (const name of readdirSync(corrupt)) {
    try {
      await copyAnnData(join(corrupt, name), copy);
      (await openAnnData(copy)).close();
    } catch (error) {
      assert.ok(error instanceof AnnDataError, `${name}: ${error}`);
    }
  }
});
