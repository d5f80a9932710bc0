import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { type AnnDataInput, type CsrRows, openAnnData, writeH5ad } from "@cytomesh/anndata";
import { createH5, type H5Numbers, type H5Reader, type H5Type, openH5 } from "@cytomesh/hdf5";
import {
  attributeAsDumped,
  type Dumped,
  dump,
  filtersAsDumped,
  runTool,
  spaceAsDumped,
  typeAsDumped,
  withoutPadding,
  withoutTools,
} from "./h5dump.ts";

/** HDF5's own command line tools as a witness: they read what we write, and describe files as our reader does. */

const skip = withoutTools() ?? false;
const folder = mkdtempSync(join(tmpdir(), "cytomesh-hdf5-tools-"));
after(() => rmSync(folder, { recursive: true }));

const x: CsrRows = {
  nRows: 400,
  nCols: 90,
  indptr: Float64Array.from({ length: 401 }, (_, i) => i * 30),
  indices: Int32Array.from({ length: 12_000 }, (_, i) => (i % 30) * 3),
  data: Float32Array.from({ length: 12_000 }, (_, i) => 1 + (i % 5)),
};
const input: AnnDataInput = {
  x,
  raw: {
    x,
    var: { index: Array.from({ length: 90 }, (_, i) => `g${i}`), columns: {} },
  },
  layers: { counts: x },
  obs: {
    index: Array.from({ length: 400 }, (_, i) => `cell ${i}`),
    columns: {
      type: {
        kind: "categorical",
        codes: Int32Array.from({ length: 400 }, (_, i) => (i % 3) - 1),
        categories: ["B", "Tü"],
        ordered: true,
      },
      n: { kind: "number", dtype: "int64", values: Int32Array.from({ length: 400 }, (_, i) => i) },
      share: { kind: "number", dtype: "float32", values: new Float32Array(400).fill(0.5) },
      primary: { kind: "boolean", values: Uint8Array.from({ length: 400 }, (_, i) => i % 2) },
      maybe: { kind: "boolean", values: new Uint8Array(400), mask: new Uint8Array(400).fill(1, 0, 3) },
    },
  },
  var: { index: Array.from({ length: 90 }, (_, i) => `gene ${i}`), columns: {} },
  uns: { title: "Lung", colors: ["#1f77b4", "#ff7f0e"], neighbors: { k: 15, metric: "cosine", exact: true } },
  obsm: { X_umap: { data: Float32Array.from({ length: 800 }, (_, i) => i), shape: [400, 2] } },
};

const compressed = ["PREPROCESSING SHUFFLE", "COMPRESSION DEFLATE { LEVEL 1 }"];
const utf8 =
  "H5T_STRING { STRSIZE H5T_VARIABLE; STRPAD H5T_STR_NULLTERM; CSET H5T_CSET_UTF8; CTYPE H5T_C_S1; }";
const bool = 'H5T_ENUM { H5T_STD_I8LE; "FALSE" 0; "TRUE" 1; }';

test("an .h5ad has the groups, types, filters and attributes that anndata's format asks for", {
  skip,
}, async () => {
  const path = join(folder, "written.h5ad");
  await writeH5ad(path, input, { xDtype: "float32" });
  const found = dump(path);
  assert.deepEqual(found.groups.get("/"), [
    "X",
    "layers",
    "obs",
    "obsm",
    "obsp",
    "raw",
    "uns",
    "var",
    "varm",
    "varp",
  ]);
  for (const where of ["/X", "/raw/X", "/layers/counts"]) {
    assert.deepEqual(found.groups.get(where), ["data", "indices", "indptr"]);
    assert.deepEqual(found.attributes.get(`${where}@shape`), {
      type: "H5T_STD_I64LE",
      space: "SIMPLE { ( 2 ) / ( 2 ) }",
    });
    assert.equal(printedValue(path, `${where}/shape`), "400, 90");
    assert.equal(printedValue(path, `${where}/encoding-type`), '"csr_matrix"');
    assert.equal(printedValue(path, `${where}/encoding-version`), '"0.1.0"');
    const data = found.datasets.get(`${where}/data`)!;
    assert.deepEqual([data.type, data.filters], ["H5T_IEEE_F32LE", compressed]);
    assert.match(data.space, /^SIMPLE \{ \( 12000 \) \/ /);
    const indices = found.datasets.get(`${where}/indices`)!;
    assert.deepEqual([indices.type, indices.filters], ["H5T_STD_I32LE", compressed]);
  }
  for (const [where, encoding, version] of [
    ["", "anndata", "0.1.0"],
    ["/obs", "dataframe", "0.2.0"],
    ["/obs/type", "categorical", "0.2.0"],
    ["/obs/n", "array", "0.2.0"],
    ["/obs/_index", "string-array", "0.2.0"],
    ["/obs/maybe", "nullable-boolean", "0.1.0"],
    ["/uns", "dict", "0.1.0"],
    ["/uns/title", "string", "0.2.0"],
    ["/uns/neighbors/k", "numeric-scalar", "0.2.0"],
  ] as const) {
    assert.equal(printedValue(path, `${where}/encoding-type`), `"${encoding}"`, where);
    assert.equal(printedValue(path, `${where}/encoding-version`), `"${version}"`, where);
  }
  assert.equal(printedValue(path, "/obs/column-order"), '"type", "n", "share", "primary", "maybe"');
  assert.deepEqual(
    ["type/codes", "n", "share", "primary", "maybe/mask", "_index", "type/categories"].map(
      (name) => found.datasets.get(`/obs/${name}`)?.type,
    ),
    ["H5T_STD_I8LE", "H5T_STD_I64LE", "H5T_IEEE_F32LE", bool, bool, utf8, utf8],
  );
  assert.equal(found.attributes.get("/obs/type@ordered")?.type, bool);
  assert.equal(found.datasets.get("/uns/title")?.space, "SCALAR");
  assert.match(found.datasets.get("/obsm/X_umap")!.space, /^SIMPLE \{ \( 400, 2 \) \/ /);
  assert.deepEqual(numbersOf(path, "/X/data"), [...x.data]);
  assert.deepEqual(numbersOf(path, "/X/indptr"), [...x.indptr]);
  assert.deepEqual(numbersOf(path, "/obs/type/codes").slice(0, 4), [-1, 0, 1, -1]);
  await describedAlike(path, found);
});

test("what the writer can do besides: every filter, fill values, rows without limit, links of all kinds, records", {
  skip,
}, async () => {
  const path = join(folder, "written.h5");
  const int32: H5Type = { kind: "int", size: 4, signed: true };
  const float64: H5Type = { kind: "float", size: 8 };
  const values = Int32Array.from({ length: 300 }, (_, i) => i);
  const out = createH5(path);
  out.group("/links");
  const fillValue = Int32Array.of(-7);
  const rows = { type: int32, shape: [100, 3], chunkRows: 7, fillValue };
  out.dataset("/checked", { ...rows, deflate: { level: 6 }, fletcher32: true, extendable: true }, values);
  out.dataset("/lzf", { ...rows, lzf: true }, values);
  out.dataset("/plain", { type: int32, shape: [100, 3] }, values);
  out.dataset("/none", { type: float64, shape: undefined }, new Float64Array(0));
  out.dataset("/scalar", { type: float64, shape: [] }, Float64Array.of(2.5));
  const members = [
    { name: "id", offset: 0, type: int32 },
    { name: "score", offset: 4, type: float64 },
  ];
  const records = new Map<string, H5Numbers>([
    ["id", Int32Array.of(1, 2)],
    ["score", Float64Array.of(0.5, 0.25)],
  ]);
  out.dataset("/records", { type: { kind: "compound", size: 12, members }, shape: [2] }, records);
  out.softLink("/links/soft", "/plain");
  out.hardLink("/links/hard", "/plain");
  out.externalLink("/links/outside", "other.h5", "/x");
  for (let i = 0; i < 500; i++) out.attribute("/links", `a${String(i).padStart(3, "0")}`, i);
  out.finish();
  const found = dump(path);
  assert.deepEqual(found.datasets.get("/checked"), {
    type: "H5T_STD_I32LE",
    space: "SIMPLE { ( 100, 3 ) / ( H5S_UNLIMITED, 3 ) }",
    chunks: "( 7, 3 )",
    filters: ["PREPROCESSING SHUFFLE", "COMPRESSION DEFLATE { LEVEL 6 }", "CHECKSUM FLETCHER32"],
    fill: "-7",
  });
  assert.deepEqual(found.datasets.get("/lzf")?.filters, [
    "PREPROCESSING SHUFFLE",
    "FILTER_ID 32000 PARAMS { 4 261 84 }",
  ]);
  assert.equal(found.datasets.get("/none")?.space, "NULL");
  assert.equal(
    found.datasets.get("/records")?.type,
    'H5T_COMPOUND { H5T_STD_I32LE "id"; H5T_IEEE_F64LE "score"; }',
  );
  // Two links lead to "/plain": whichever comes first is shown in full.
  assert.deepEqual(Object.fromEntries(found.links), {
    "/links/outside": 'EXTERNAL_LINK TARGETFILE "other.h5" TARGETPATH "/x"',
    "/links/soft": 'SOFTLINK LINKTARGET "/plain"',
    "/plain": 'HARDLINK "/links/hard"',
  });
  assert.equal(found.attributes.size, 500);
  assert.equal(printedValue(path, "/links/a499"), "499");
  assert.deepEqual(numbersOf(path, "/checked"), [...values]);
  assert.deepEqual(numbersOf(path, "/scalar"), [2.5]);
  await describedAlike(path, found);
});

test("real files: names, shapes, types, chunks, filters, fill values and attributes as h5dump tells them", {
  skip,
}, async (t) => {
  const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../shared/data");
  if (!existsSync(join(data, "omics"))) return t.skip("shared data not present");
  const files = ["omics", "tenx"]
    .flatMap((name) => readdirSync(join(data, name)).map((file) => join(data, name, file)))
    .filter((path) => /\.(h5|h5ad|h5mu|loom)$/.test(path));
  assert.ok(files.length > 40, `${files.length} files`);
  for (const path of files) await describedAlike(path, dump(path));
});

test("everything in a written file is counted by h5stat and listed by h5ls", { skip }, async () => {
  const path = join(folder, "listed.h5ad");
  await writeH5ad(path, input);
  const listed = runTool("h5ls", ["-r", path]).trim().split("\n");
  using file = await openAnnData(path);
  assert.deepEqual([file.nObs, file.nVar], [400, 90]);
  const found = dump(path);
  assert.equal(listed.length, found.groups.size + found.datasets.size);
  const statistics = runTool("h5stat", [path]);
  assert.match(statistics, new RegExp(`# of unique groups: ${found.groups.size}\n`));
  assert.match(statistics, new RegExp(`# of unique datasets: ${found.datasets.size}\n`));
  // Heaps of strings are not counted; nothing else may be lost between what is in the file.
  const unaccounted = Number(/Unaccounted space: (-?\d+) bytes/.exec(statistics)?.[1]);
  const heaps = heapBytes(readFileSync(path));
  assert.ok(heaps < 40_000, `${heaps} bytes of heaps for a file with few strings`);
  assert.ok(
    unaccounted >= heaps && unaccounted < heaps + 2_048,
    `${unaccounted} bytes, ${heaps} of them heaps`,
  );
});

/** Bytes of all global heap collections: each begins with its signature, version and size. */
function heapBytes(file: Buffer): number {
  let sum = 0;
  for (let at = file.indexOf("GCOL"); at >= 0; at = file.indexOf("GCOL", at + 1)) {
    sum += Number(file.readBigUInt64LE(at + 8));
  }
  return sum;
}

/** Our reader's description of every object against that of h5dump. */
async function describedAlike(path: string, found: Dumped): Promise<void> {
  const file = await openH5(path, { engine: "native" });
  for (const [where, names] of found.groups) {
    assert.deepEqual(file.children(where).sort(), [...names].sort(), `${basename(path)}: ${where}`);
    attributesAlike(file, where, found, path);
  }
  for (const [where, dataset] of found.datasets) {
    const label = `${basename(path)}: ${where}`;
    const info = file.dataset(where);
    assert.ok(dataset.space.startsWith(spaceAsDumped(info.shape)), `${label}: ${dataset.space}`);
    const type = typeAsDumped(info.type, info.bigEndian);
    if (type !== undefined) assert.equal(withoutPadding(dataset.type), type, label);
    assert.equal(dataset.chunks, info.chunks && `( ${info.chunks.join(", ")} )`, label);
    assert.deepEqual(dataset.filters, filtersAsDumped(info), label);
    attributesAlike(file, where, found, path);
  }
  file.close();
}

function attributesAlike(file: H5Reader, where: string, found: Dumped, path: string): void {
  for (const name of file.attributeNames(where)) {
    const label = `${basename(path)}: ${where}@${name}`;
    const dumped = found.attributes.get(`${where}@${name}`);
    assert.ok(dumped !== undefined, label);
    const { type, space } = attributeAsDumped(file.attribute(where, name)!);
    assert.ok(dumped.space.startsWith(space), `${label}: ${dumped.space}`);
    if (type !== undefined) assert.equal(withoutPadding(dumped.type), type, label);
  }
  const count = [...found.attributes.keys()].filter((key) => key.startsWith(`${where}@`)).length;
  assert.equal(file.attributeNames(where).length, count, `${basename(path)}: attributes of ${where}`);
}

/** The values of an attribute as h5dump prints them, in one line. */
function printedValue(path: string, attribute: string): string {
  const text = runTool("h5dump", ["-y", "-w", "0", "-a", attribute, path]);
  const body = /DATA \{\n([\s\S]*?)\n\s*\}/.exec(text)![1]!;
  return body.trim().replaceAll(/\s+/g, " ");
}

function numbersOf(path: string, dataset: string): number[] {
  const text = runTool("h5dump", ["-y", "-d", dataset, path]);
  const body = /DATA \{\n([\s\S]*?)\n\s*\}/.exec(text)![1]!;
  return body
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(Number);
}
