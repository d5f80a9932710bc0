import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bitShuffled, naiveBlosc, naiveLz4 } from "@cytomesh/codecs/testing";
import { createH5, openH5 } from "./index.ts";
import type { H5Type } from "./types.ts";
import { writeChunkIndex } from "./write/chunk-index.ts";
import { groupMessages } from "./write/dense.ts";
import { FileSpace } from "./write/file-space.ts";
import { datasetMessages, type FilterSpec, linkMessage, objectHeader } from "./write/messages.ts";
import { writeStrings } from "./write/string-heap.ts";

const folder = mkdtempSync(join(tmpdir(), "cytomesh-hdf5-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "file.h5");
const int32: H5Type = { kind: "int", size: 4, signed: true };
const strings: H5Type = { kind: "string", size: "variable", utf8: true };
const lzf: FilterSpec = { id: 32000, values: [4, 0x105, 0] };

/** A file with one dataset "/d" whose header says whatever the test wants. */
function craft(
  type: H5Type,
  shape: number[],
  chunks: number[],
  filters: FilterSpec[],
  store: (space: FileSpace) => Uint8Array[],
) {
  const space = new FileSpace(path);
  const stored = store(space).map((bytes, i) => ({
    row: i * chunks[0]!,
    address: space.append(bytes),
    bytes: bytes.length,
  }));
  const index = writeChunkIndex(space, stored, shape.length, stored.length * chunks[0]!);
  const elementBytes = type.kind === "string" ? 16 : 4;
  const header = objectHeader(
    datasetMessages(type, shape, { kind: "chunked", index, chunks, elementBytes }, filters, false),
  );
  const link = linkMessage("d", { address: space.append(header) });
  space.finish(space.append(objectHeader([...groupMessages(space), link])));
}

/** LZF without any back reference. */
function literals(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    const run = bytes.subarray(at, at + 32);
    out.push(run.length - 1, ...run);
  }
  return Uint8Array.from(out);
}

const bytesOf = (values: Int32Array) => new Uint8Array(values.buffer);

test("what is not HDF5 is named", async () => {
  const cases: [string | Buffer, RegExp][] = [
    ["", /it is empty/],
    ["<html><body>502", /begins with "<html><body>502"/],
    ["version https://git-lfs.github.com/spec/v1\noid", /git-LFS pointer/],
    [Buffer.from([0x1f, 0x8b, 8, 0]), /gzip/],
    [Buffer.from([0, 1, 2, 3]), /begins with 00010203/],
  ];
  for (const [content, message] of cases) {
    writeFileSync(path, content);
    await assert.rejects(openH5(path), { tag: "not-hdf5", message });
  }
  await assert.rejects(openH5(join(folder, "nothing.h5")), { tag: "file-not-found" });
  await assert.rejects(openH5(folder), { tag: "file-not-found" });
});

test("a file that ends too early says how many bytes are missing", async () => {
  createH5(path).finish();
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length - 8));
  const message = new RegExp(`superblock declares ${whole.length} bytes, file has ${whole.length - 8}`);
  await assert.rejects(openH5(path), { tag: "truncated", message });
});

test("a user block before the superblock is skipped", async () => {
  const out = createH5(path);
  out.dataset("/d", { type: int32, shape: [1] }, Int32Array.of(5));
  out.finish();
  // Base address stays 0 in our superblock, so a moved copy is damaged: it must be found, then refused by its addresses.
  writeFileSync(path, Buffer.concat([Buffer.alloc(512), readFileSync(path)]));
  await openH5(path).then(
    (file) => file.close(),
    (error) => assert.equal(error.tag, "corrupt"),
  );
});

test("soft links are followed inside the file; circles and ways out are refused", async () => {
  const out = createH5(path);
  out.group("/g");
  out.dataset("/g/d", { type: int32, shape: [1] }, Int32Array.of(5));
  out.softLink("/g/relative", "d");
  out.softLink("/absolute", "/g/relative");
  out.softLink("/a", "/b");
  out.softLink("/b", "/a");
  out.softLink("/dangling", "/nowhere");
  out.externalLink("/outside", "/etc/hostname", "/x");
  out.finish();
  const file = await openH5(path);
  assert.equal(file.realPath("/absolute"), "/g/d");
  assert.deepEqual(file.read(file.dataset("/absolute")), Int32Array.of(5));
  assert.equal(file.kind("/dangling"), undefined);
  assert.throws(() => file.kind("/a"), { tag: "refused-link", message: /circle/ });
  assert.throws(() => file.dataset("/outside"), {
    tag: "refused-link",
    message: /external link to "\/etc\/hostname"/,
  });
  assert.throws(() => file.dataset("/g/nope"), { tag: "not-found" });
  assert.throws(() => file.dataset("/g"), { tag: "not-found", message: /not a dataset/ });
  file.close();
});

test("declared sizes that the file cannot hold are refused before anything is allocated", async () => {
  craft(int32, [2 ** 40], [1024], [], () => []);
  let file = await openH5(path);
  assert.throws(() => file.dataset("/d"), { tag: "too-large", message: /declares shape \[1099511627776\]/ });
  file.close();
  craft(int32, [10], [2 ** 29], [], () => []);
  file = await openH5(path);
  assert.throws(() => file.dataset("/d"), { tag: "too-large", message: /chunks/ });
  file.close();
});

test("a read beyond maxBytes is refused and a smaller one works", async () => {
  const out = createH5(path);
  out.dataset("/d", { type: int32, shape: [100] }, new Int32Array(100));
  out.finish();
  const file = await openH5(path, { maxBytes: 100 });
  const info = file.dataset("/d");
  assert.throws(() => file.read(info), { tag: "too-large", message: /400 bytes, the limit is 100/ });
  assert.equal((file.read(info, 0, 25) as Int32Array).length, 25);
  file.close();
});

test("LZF chunks are decoded, for numbers and for strings", async () => {
  const values = Int32Array.from({ length: 20 }, (_, i) => i - 3);
  const padded = new Int32Array(24);
  padded.set(values);
  const chunk = (k: number) => literals(bytesOf(padded.slice(k * 8, k * 8 + 8)));
  craft(int32, [20], [8], [lzf], () => [chunk(0), chunk(1), chunk(2)]);
  let file = await openH5(path);
  assert.deepEqual(file.read(file.dataset("/d")), values);
  assert.deepEqual(file.read(file.dataset("/d"), 7, 17), values.slice(7, 17));
  file.close();

  const names = ["a", "", "gene é", "d"];
  craft(strings, [4], [4], [lzf], (space) => [literals(writeStrings(space, names, "d"))]);
  file = await openH5(path);
  assert.deepEqual(file.read(file.dataset("/d")), names);
  file.close();
});

test("chunks of Blosc, LZ4 and bitshuffle are decoded, whole and by rows", async () => {
  const values = Int32Array.from({ length: 320 }, (_, i) => (i * i) % 97);
  const chunk = (k: number) => bytesOf(values.slice(k * 160, k * 160 + 160));
  const blosc = (k: number) =>
    naiveBlosc(chunk(k), {
      codec: "lz4",
      shuffle: k === 0 ? "bytes" : "bits",
      typeBytes: 4,
      blockBytes: 512,
    });
  const lz4 = (k: number) => {
    const block = naiveLz4(chunk(k));
    const header = Buffer.alloc(16);
    header.writeBigUInt64BE(640n);
    header.writeUInt32BE(640, 8);
    header.writeUInt32BE(block.length, 12);
    return new Uint8Array(Buffer.concat([header, block]));
  };
  const bits = (k: number) => bitShuffled(chunk(k), 4);
  const cases = [
    [{ id: 32001, values: [2, 2, 4, 640, 5, 1, 1] }, blosc],
    [{ id: 32004, values: [0] }, lz4],
    [{ id: 32008, values: [0, 5, 4, 0, 0] }, bits],
  ] as const;
  for (const [filter, stored] of cases) {
    craft(int32, [320], [160], [{ id: filter.id, values: [...filter.values] }], () => [stored(0), stored(1)]);
    const file = await openH5(path);
    assert.deepEqual(file.read(file.dataset("/d")), values);
    assert.deepEqual(file.read(file.dataset("/d"), 150, 170), values.slice(150, 170));
    file.close();
  }
  // A container of Blosc 2, and a bitshuffle with a compressor nobody has.
  craft(int32, [160], [160], [{ id: 32001, values: [] }], () => [blosc(0).fill(5, 0, 1)]);
  let file = await openH5(path);
  assert.throws(() => file.read(file.dataset("/d")), { tag: "unsupported", message: /\/d.*version 5/ });
  file.close();
  craft(int32, [160], [160], [{ id: 32008, values: [0, 5, 4, 0, 9] }], () => [bits(0)]);
  file = await openH5(path);
  assert.throws(() => file.read(file.dataset("/d")), { tag: "unsupported", message: /compressor 9/ });
  file.close();
});

test("an unknown filter is named together with the way out", async () => {
  craft(int32, [8], [8], [{ id: 32026, values: [] }], () => [new Uint8Array(20)]);
  const file = await openH5(path);
  const message = /\/d is compressed with the filter Blosc2 \(id 32026\).*save the file again with gzip/;
  assert.throws(() => file.read(file.dataset("/d")), { tag: "unsupported", message });
  file.close();
});

test("damaged chunks give an error, not garbage", async () => {
  craft(int32, [8], [8], [lzf], () => [Uint8Array.of(31, 1, 2)]);
  let file = await openH5(path);
  assert.throws(() => file.read(file.dataset("/d")), { tag: "corrupt", message: /\/d, chunk at \[0\]/ });
  file.close();
  craft(int32, [8], [8], [{ id: 1, values: [1] }], () => [Uint8Array.of(1, 2, 3)]);
  file = await openH5(path);
  assert.throws(() => file.read(file.dataset("/d")), { tag: "corrupt" });
  file.close();
});

test("files opened at the same time do not disturb each other", async () => {
  const paths = [0, 1, 2, 3].map((i) => join(folder, `many-${i}.h5`));
  paths.forEach((to, i) => {
    const out = createH5(to);
    out.dataset("/d", { type: int32, shape: [1] }, Int32Array.of(i));
    out.finish();
  });
  const files = await Promise.all(paths.map((to) => openH5(to)));
  assert.deepEqual(
    files.map((file) => (file.read(file.dataset("/d")) as Int32Array)[0]),
    [0, 1, 2, 3],
  );
  for (const file of files) file.close();
});
