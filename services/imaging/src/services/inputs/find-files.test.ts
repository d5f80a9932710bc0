import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FileListingSchema } from "@cytomesh/contracts/jobs/v1/imaging";
import { createObjectStore, toUri } from "@cytomesh/object-store";
import { findFiles, frozenFiles } from "./find-files.ts";
import { fits } from "./glob.ts";

const signal = new AbortController().signal;
const noClaim = async () => undefined;

async function folder(t: TestContext, names: readonly string[]) {
  const dir = await mkdtemp(join(tmpdir(), "find-files-"));
  const store = createObjectStore({});
  t.after(async () => {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  });
  for (const name of names) {
    await mkdir(join(dir, name, ".."), { recursive: true });
    await writeFile(join(dir, name), "x");
  }
  const at = (name: string) => toUri(join(dir, name));
  const find = (listing: MessageInitShape<typeof FileListingSchema>, uris: string[] = []) =>
    findFiles(store, { uris, listing: create(FileListingSchema, listing) }, signal);
  return { dir, store, at, find, prefix: `${toUri(dir)}/` };
}

test("patterns: a text to contain, a name, a path", () => {
  const matching = (pattern: string) =>
    ["a_proj.tif", "d/a_proj.tif", "d/e/b.tif", "d/a+b.tif"].filter(fits(pattern));
  assert.equal(matching("").length, 4);
  assert.deepEqual(matching("_proj.tif"), ["a_proj.tif", "d/a_proj.tif"]);
  assert.deepEqual(matching("*.tif").length, 4);
  assert.deepEqual(matching("?.tif"), ["d/e/b.tif"]);
  assert.deepEqual(matching("d/*.tif"), ["d/a_proj.tif", "d/a+b.tif"]);
  assert.deepEqual(matching("d/**/b.tif"), ["d/e/b.tif"]);
  assert.deepEqual(matching("**/a+*"), ["d/a+b.tif"]);
});

test("a sample is spread evenly over what was found, and does not touch what was named", async (t) => {
  const names = Array.from({ length: 10 }, (_, i) => `f${i}.tif`);
  const { find, at, prefix } = await folder(t, names);
  assert.deepEqual(
    await find({ prefixUri: prefix, sample: 3 }, [at("f9.tif")]),
    ["f9.tif", "f0.tif", "f3.tif", "f6.tif"].map(at),
  );
  assert.equal((await find({ prefixUri: prefix, sample: 11 })).length, 10);
});

test("a prefix yields its files in byte order, an OME-Zarr folder as one", async (t) => {
  const { find, at, prefix } = await folder(t, [
    "b/x_proj.tif",
    "a y/x_proj.tif",
    "a y/x_stack.tif",
    "z.ome.zarr/.zattrs",
    "z.ome.zarr/0/.zarray",
  ]);
  assert.deepEqual(await find({ prefixUri: prefix, pattern: "_proj.tif" }), [
    at("a y/x_proj.tif"),
    at("b/x_proj.tif"),
  ]);
  assert.deepEqual(await find({ prefixUri: prefix, pattern: "*.zarr" }), [at("z.ome.zarr")]);
  const named = at("b/x_proj.tif");
  assert.deepEqual(await find({ prefixUri: prefix, pattern: "x_*" }, [named]), [
    named,
    at("a y/x_proj.tif"),
    at("a y/x_stack.tif"),
  ]);
  await assert.rejects(find({ prefixUri: prefix, pattern: "nothing" }), {
    tag: "nothing-found",
    message: /pattern "nothing"/,
  });
});

test("a listing may be lines or a table, relative or not", async (t) => {
  const { find, at, dir } = await folder(t, ["a.tif"]);
  await writeFile(join(dir, "list.txt"), "# fields\n\na.tif\nsub/b.tif\ns3://bucket/c d.tif\n");
  const expected = [at("a.tif"), at("sub/b.tif"), "s3://bucket/c d.tif"];
  assert.deepEqual(await find({ listingUri: at("list.txt") }), expected);
  await writeFile(join(dir, "list.csv"), "size,uri\n1,a.tif\n2,sub/b.tif\n3,s3://bucket/c d.tif\n");
  assert.deepEqual(await find({ listingUri: at("list.csv") }), expected);
  assert.deepEqual(await find({ listingUri: at("list.csv"), pattern: "b.tif" }), [expected[1]]);
  // Lines are taken whole; absolute paths, folders above and other schemes are what they say.
  const names = ["plate, well 1.tif", 'a"b.tif', "50%#1?.tif", "ü 😀.tif"];
  const others = [join(dir, "x y.tif"), "../up.tif", "./a.tif", "gs://bucket/k,1.tif", names[0]];
  await writeFile(join(dir, "odd.txt"), `\uFEFF# a, b\r\n\r\n${[...names, ...others].join("\r\n")}`);
  assert.deepEqual(await find({ listingUri: at("odd.txt") }), [
    ...names.map(at),
    at("x y.tif"),
    toUri(join(dir, "..", "up.tif")),
    at("a.tif"),
    "gs://bucket/k,1.tif",
  ]);
  await writeFile(join(dir, "quoted.csv"), '# made today\n"URI","n"\n"plate, well 1.tif",1\n');
  assert.deepEqual(await find({ listingUri: at("quoted.csv") }), [at("plate, well 1.tif")]);
  await writeFile(join(dir, "bad.txt"), "http://nowhere/a.tif\n");
  await assert.rejects(find({ listingUri: at("bad.txt") }), { tag: "bad-listing", message: /line 1/ });
  await writeFile(join(dir, "bad.txt"), `a.tif\n${"x".repeat(1024 * 1024)}`);
  await assert.rejects(find({ listingUri: at("bad.txt") }), {
    tag: "bad-listing",
    message: /line 2: .*without a line break/,
  });
});

test("what a job writes below the folder that it lists is not among its files", async (t) => {
  const { store, at, prefix } = await folder(t, ["a.tif", "out/request.json", "out-2/b.tif"]);
  const listing = create(FileListingSchema, { prefixUri: prefix });
  const files = await frozenFiles(store, at("out"), { uris: [], listing }, noClaim, signal);
  assert.deepEqual(files, [at("a.tif"), at("out-2/b.tif")]);
});

test("the list that was made first stays, whatever appears later", async (t) => {
  const { store, at, dir, prefix } = await folder(t, ["in/a.tif"]);
  const wanted = {
    uris: [],
    listing: create(FileListingSchema, { prefixUri: `${prefix}in/` }),
  };
  const first = await frozenFiles(store, at("out"), wanted, noClaim, signal);
  await writeFile(join(dir, "in", "b.tif"), "x");
  assert.deepEqual(await frozenFiles(store, at("out"), wanted, noClaim, signal), first);
});
