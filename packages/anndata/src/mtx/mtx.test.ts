import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { AnnDataError, isParsedOnOpen, openAnnData } from "../index.ts";
import { dense, opened, temporaryFolder } from "../test-fixtures.ts";
import { parseMtx } from "./parse.ts";

const folder = temporaryFolder();
after(folder.remove);
let made = 0;

const head = "%%MatrixMarket matrix coordinate integer general\n%note\n";
const barcodes = "AAA-1\nCCC-1\nGGG-1\n";
const features = "ENSG1\tA\tGene Expression\nENSG2\tB\tGene Expression\n";

/** A folder with these files; names that end in .gz are compressed. */
function triple(files: Record<string, string | Uint8Array>): string {
  const path = folder.path(`m${made++}`);
  mkdirSync(path);
  for (const [name, content] of Object.entries(files))
    writeFileSync(
      join(path, name),
      name.endsWith(".gz") && typeof content === "string" ? gzipSync(content) : content,
    );
  return path;
}
const tempDir = folder.path("tmp");
mkdirSync(tempDir);

async function rowsOf(path: string) {
  using file = await openAnnData(path, { tempDir });
  return {
    obs: file.obs.index(),
    var: file.var.index(),
    columns: file.var.columnNames,
    x: dense(file.x!.rows(0, file.nObs)),
  };
}

test("version 3 folders, version 2 folders, prefixes and matrices named by themselves", async () => {
  const matrix = `${head}2 3 4\n1 1 5\n2 1 1\n2 2 7\n1 3 9\n`;
  const expected = [
    [5, 1],
    [0, 7],
    [9, 0],
  ];
  const v3 = triple({ "matrix.mtx.gz": matrix, "barcodes.tsv.gz": barcodes, "features.tsv.gz": features });
  assert.deepEqual(await rowsOf(v3), {
    obs: ["AAA-1", "CCC-1", "GGG-1"],
    var: ["ENSG1", "ENSG2"],
    columns: ["gene_symbols", "feature_types"],
    x: expected,
  });
  const v2 = triple({
    "matrix.mtx": matrix,
    "barcodes.tsv": barcodes,
    "genes.tsv": "ENSG1\tA\r\nENSG1\tB\r\n",
  });
  const old = await rowsOf(v2);
  assert.deepEqual(
    [old.var, old.columns, old.x],
    [["A", "B"], ["gene_ids"], expected],
    "ids repeat, so symbols name the rows",
  );
  const two = triple({
    "s1_matrix.mtx": matrix,
    "s1_barcodes.tsv": barcodes,
    "s1_features.tsv": features,
    "s2_matrix.mtx": matrix,
    "s2_barcodes.tsv": barcodes,
    "s2_features.tsv": features,
  });
  await assert.rejects(rowsOf(two), {
    tag: "not-anndata",
    message: /2 matrices \(s1_matrix.mtx, s2_matrix.mtx\); name the one/,
  });
  assert.deepEqual((await rowsOf(join(two, "s2_matrix.mtx"))).x, expected);
  assert.ok(
    isParsedOnOpen(v3) && isParsedOnOpen(join(two, "s2_matrix.mtx")) && !isParsedOnOpen(folder.path("none")),
  );
});

test("any order of entries, repeated entries, barcodes as rows, real and pattern values", async () => {
  const parts = { "barcodes.tsv": barcodes, "features.tsv": features };
  const unsorted = triple({ ...parts, "matrix.mtx": `${head}2 3 4\n1 3 1\n2 1 2\n1 3 3\n1 1 4\n` });
  assert.deepEqual((await rowsOf(unsorted)).x, [
    [4, 2],
    [0, 0],
    [4, 0],
  ]);
  const turned = triple({ ...parts, "matrix.mtx": `${head}3 2 1\n3 2 8\n` });
  assert.deepEqual((await rowsOf(turned)).x[2], [0, 8]);
  const real = head.replace("integer", "real");
  const decimals = triple({ ...parts, "matrix.mtx": `${real}2 3 3\n1 1 0.25\n1 2 1e-3\n2 3 -.5` });
  assert.deepEqual((await rowsOf(decimals)).x, [
    [0.25, 0],
    [0.001, 0],
    [0, -0.5],
  ]);
  const pattern = triple({ ...parts, "matrix.mtx": `${head.replace("integer", "pattern")}2 3 1\n1 2\n` });
  assert.deepEqual((await rowsOf(pattern)).x[1], [1, 0]);
});

test("what is wrong is said with file and line", async () => {
  const parts = { "barcodes.tsv": barcodes, "features.tsv": features };
  const wrong: [string, string, RegExp][] = [
    ["", "invalid", /matrix.mtx, line 1: the file is empty/],
    ["hello\n", "invalid", /line 1: not a Matrix Market file: .* found "hello"/],
    [
      "%%MatrixMarket matrix array real general\n",
      "invalid",
      /line 1: a Matrix Market array file, expected coordinate/,
    ],
    [`${head.replace("general", "symmetric")}2 3 0\n`, "invalid", /line 1: a symmetric matrix/],
    [`${head.replace("integer", "complex")}`, "invalid", /values are "complex"/],
    [head, "invalid", /line 3: the file ends before its size line/],
    [`${head}2 t 4\n`, "invalid", /line 3: expected the sizes "rows columns entries", found "2 t 4"/],
    [`${head}2 3\n`, "invalid", /line 3: expected the sizes/],
    [`${head}2 3 1\n1 one 1\n`, "invalid", /line 4: expected "row column value", found "1 one 1"/],
    [`${head}2 3 1\n1 1 x\n`, "invalid", /line 4: expected a number, found "1 1 x"/],
    [`${head}2 3 1\n1 1 Infinity\n`, "invalid", /line 4: expected a number/],
    [`${head}2 3 1\n3 1 1\n`, "invalid", /line 4: entry \(3, 1\) lies outside of 2 × 3/],
    [`${head}2 3 1\n1 0 1\n`, "invalid", /entry \(1, 0\) lies outside/],
    [`${head}2 3 1\n1 1 1\n1 2 1\n`, "invalid", /line 5: more entries than the 1 that/],
    [`${head}2 3 5\n1 1 1\n`, "truncated", /1 entries, but the size line declares 5/],
    [`${head}2 2 0\n`, "wrong-length", /is 2 × 2, but there are 2 features and 3 barcodes/],
    [`${head}2 3 1\n1 1 3000000000\n`, "unsupported", /beyond the 32 bits/],
    [`${head}${"9".repeat(5_000)}`, "invalid", /longer than 4096 bytes/],
  ];
  for (const [matrix, tag, message] of wrong)
    await assert.rejects(rowsOf(triple({ ...parts, "matrix.mtx": matrix })), (error) => {
      assert.ok(error instanceof AnnDataError, String(error));
      assert.equal(error.tag, tag, error.message);
      assert.match(error.message, message);
      return true;
    });
  const good = `${head}2 3 0\n`;
  await assert.rejects(
    rowsOf(triple({ "matrix.mtx": good, "features.tsv": features })),
    /has no barcodes.tsv \(or .gz\) beside it/,
  );
  await assert.rejects(
    rowsOf(triple({ ...parts, "matrix.mtx": good, "features.tsv": "a\tb\nc\n" })),
    /line 2: 1 columns, but line 1 has 2/,
  );
  const cut = gzipSync(`${head}2 3 0\n`).subarray(0, 30);
  await assert.rejects(rowsOf(triple({ ...parts, "matrix.mtx.gz": cut })), { tag: "truncated" });
  assert.deepEqual(readdirSync(tempDir), [], "nothing is left behind");
});

test("however the bytes are cut, the same entries come out", async () => {
  const numbers = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 9 }), fc.nat(10_000)),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(
      numbers,
      fc.integer({ min: 1, max: 17 }),
      fc.constantFrom("\n", "\r\n"),
      async (list, cut, end) => {
        const lines = [
          `${head.trimEnd().replaceAll("\n", end)}`,
          `50 9 ${list.length}`,
          ...list.map((entry) => entry.join(" ")),
        ];
        const bytes = Buffer.from(lines.join(end));
        const found: number[][] = [];
        async function* chunks() {
          for (let at = 0; at < bytes.length; at += cut) yield bytes.subarray(at, at + cut);
        }
        await parseMtx(
          chunks(),
          "x",
          () => undefined,
          ({ rows, columns, values, count }) => {
            for (let i = 0; i < count; i++) found.push([rows[i]! + 1, columns[i]! + 1, values[i]!]);
          },
        );
        assert.deepEqual(found, list);
      },
    ),
    { numRuns: 100 },
  );
});

/** A tar archive of regular files, as POSIX ustar has it. */
function tar(files: Record<string, string>): Buffer {
  const blocks: Buffer[] = [];
  for (const [name, content] of Object.entries(files)) {
    const header = Buffer.alloc(512);
    header.write(name.slice(-100), 0);
    header.write("0000644\0", 100);
    header.write(`${Buffer.byteLength(content).toString(8).padStart(11, "0")} `, 124);
    header.write("ustar\x0000", 257);
    header.write("0", 156);
    header.fill(" ", 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(content) / 512) * 512);
    body.write(content);
    blocks.push(header, body);
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

test("tarballs of one folder are read, whatever else they hold", async () => {
  const files = {
    "out/mm10/matrix.mtx": `${head}2 3 1\n1 2 3\n`,
    "out/mm10/barcodes.tsv": barcodes,
    "out/mm10/features.tsv": features,
  };
  const write = (name: string, bytes: Uint8Array) => {
    const path = folder.path(name);
    writeFileSync(path, bytes);
    return path;
  };
  const plain = write("a.tar", tar({ "README.md": "x".repeat(700), ...files }));
  const packed = write("a.tar.gz", gzipSync(tar(files)));
  for (const path of [plain, packed]) assert.deepEqual((await rowsOf(path)).x[1], [3, 0]);
  await assert.rejects(rowsOf(write("two.tar", tar({ ...files, "out/hg19/matrix.mtx": "" }))), {
    tag: "not-anndata",
    message: /several folders \(out\/mm10, out\/hg19\)/,
  });
  await assert.rejects(rowsOf(write("none.tgz", gzipSync(tar({ "a/b.txt": "" })))), /holds no matrix.mtx/);
  const escaping = write(
    "up.tar",
    tar({
      "../../matrix.mtx": files["out/mm10/matrix.mtx"],
      "../../barcodes.tsv": barcodes,
      "../../features.tsv": features,
    }),
  );
  assert.deepEqual((await rowsOf(escaping)).x[1], [3, 0], "names decide nothing about places");
  const filler = gzipSync(tar({ "a/matrix.mtx": "%\n".repeat(35 * 1024 * 1024) }));
  await assert.rejects(rowsOf(write("filler.tar.gz", filler)), { tag: "too-large" });
  const damaged = tar(files);
  damaged[150] = 0x39;
  await assert.rejects(rowsOf(write("damaged.tar", damaged)), { tag: "corrupt" });
  await assert.rejects(rowsOf(write("cut.tar", tar(files).subarray(0, 700))), { tag: "truncated" });
  await assert.rejects(opened(packed, { maxBytes: 1 }), { tag: "too-large" });
  assert.deepEqual(readdirSync(tempDir), [], "nothing is left behind");
});

test("what other tools and file systems leave in a folder does not stand in the way", async () => {
  const matrix = `${head}2 3 2\n1 1 5\n2 2 7\n`;
  const expected = { obs: ["AAA-1", "CCC-1", "GGG-1"], var: ["ENSG1", "ENSG2"] };
  const same = async (files: Record<string, string | Uint8Array>) => {
    const { obs, var: genes, x } = await rowsOf(triple(files));
    assert.deepEqual({ obs, var: genes }, expected);
    assert.deepEqual(x, [
      [5, 0],
      [0, 7],
      [0, 0],
    ]);
  };
  const plain = { "matrix.mtx": matrix, "barcodes.tsv": barcodes, "features.tsv": features };
  await same({ ...plain, "._matrix.mtx": "\0", "._barcodes.tsv": "\0", "._features.tsv": "\0" });
  await same({ ...plain, "UniqueAndMult-EM.mtx": matrix });
  await same({ ...plain, "features.tsv": `gene_id\tgene_name\tfeature_type\n${features}` });
  const quote = (text: string) => text.replace(/[^\t\n]+/g, '"$&"');
  await same({ ...plain, "barcodes.tsv": quote(barcodes), "features.tsv": quote(features) });
  await same({ ...plain, "matrix.mtx": matrix.replace("integer", "unsigned-integer") });
});

test("a fraction in a file of integers is refused, not cut off", async () => {
  const path = triple({
    "matrix.mtx": `${head}2 3 2\n1 1 5\n2 2 1.5\n`,
    "barcodes.tsv": barcodes,
    "features.tsv": features,
  });
  await assert.rejects(openAnnData(path, { tempDir }), {
    tag: "invalid",
    message: /line 5: expected an integer/,
  });
});

test("a folder without a matrix is told from a missing file, and says what it holds", async () => {
  const path = triple({ "notes.txt": "" });
  await assert.rejects(openAnnData(path), { tag: "not-anndata", message: /is a folder.*notes\.txt/ });
});
