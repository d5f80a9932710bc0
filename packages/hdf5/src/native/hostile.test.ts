import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { deflateSync } from "node:zlib";
import { createSeed, repairChecksums, signatures, walkFile } from "../../../../bench/fuzz/hdf5-subject.ts";
import { marksOf, mutate, randomFrom } from "../../../../bench/fuzz/mutate.ts";
import { openH5 } from "../index.ts";
import { craft } from "../testing/craft.ts";
import type { H5Type } from "../types.ts";
import { undefinedAddress } from "../write/byte-writer.ts";
import { writeChunkIndex } from "../write/chunk-index.ts";
import type { FileSpace } from "../write/file-space.ts";
import { datasetMessages, type FilterSpec, type Message } from "../write/messages.ts";

const folder = mkdtempSync(join(tmpdir(), "cytomesh-hdf5-hostile-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "file.h5");
const bytes1: H5Type = { kind: "int", size: 1, signed: false };

function chunked(
  shape: number[],
  chunks: number[],
  filters: FilterSpec[],
  index: number | bigint,
): Message[] {
  return datasetMessages(bytes1, shape, { kind: "chunked", index, chunks, elementBytes: 1 }, filters, false);
}

function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** A chunk B-tree node whose only child is itself. */
function selfReferring(space: FileSpace, level: number): number {
  const at = space.end;
  const key = Buffer.concat([Buffer.alloc(8), u64(0), u64(0)]);
  const head = Buffer.concat([
    Buffer.from("TREE"),
    Buffer.from([1, level, 1, 0]),
    u64(undefinedAddress),
    u64(undefinedAddress),
  ]);
  return space.append(Buffer.concat([head, key, u64(at), key]));
}

test("a chunk index that leads back to itself ends", async () => {
  craft(path, (space) => chunked([10], [10], [], selfReferring(space, 3)));
  const file = await openH5(path, { engine: "native" });
  assert.throws(() => file.read(file.dataset("/d")), { tag: "corrupt", message: /level 3|reached twice/ });
  file.close();
});

test("a chunk that inflates to more than it may is refused before it is whole", async () => {
  const bomb = deflateSync(Buffer.alloc(64 * 1024 * 1024));
  craft(path, (space) => {
    const chunk = { row: 0, address: space.append(bomb), bytes: bomb.length };
    return chunked([100], [100], [{ id: 1, values: [1] }], writeChunkIndex(space, [chunk], 1, 100));
  });
  const file = await openH5(path, { engine: "native" });
  assert.throws(() => file.read(file.dataset("/d")), { tag: "corrupt" });
  file.close();
});

test("chunks beyond the end of the file and chunks stored twice are refused", async () => {
  craft(path, (space) => {
    const chunk = { row: 0, address: 2 ** 40, bytes: 10 };
    return chunked([10], [10], [], writeChunkIndex(space, [chunk], 1, 10));
  });
  let file = await openH5(path, { engine: "native" });
  assert.throws(() => file.read(file.dataset("/d")), {
    tag: "corrupt",
    message: /beyond the end of the file/,
  });
  file.close();
  craft(path, (space) => {
    const chunk = { row: 0, address: space.append(Buffer.alloc(10)), bytes: 10 };
    return chunked([10], [10], [], writeChunkIndex(space, [chunk, chunk], 1, 10));
  });
  file = await openH5(path, { engine: "native" });
  assert.throws(() => file.read(file.dataset("/d")), { tag: "corrupt", message: /stored twice/ });
  file.close();
});

test("a small dataset in chunks that are mostly padding is refused", async () => {
  craft(path, () => chunked([4_000, 1], [1, 4_000_000], [], 64));
  const file = await openH5(path, { engine: "native" });
  assert.throws(() => file.read(file.dataset("/d")), { tag: "too-large", message: /chunks of shape/ });
  file.close();
});

test("an object header whose continuation leads back to itself ends", async () => {
  craft(path, (space) => {
    const at = space.end;
    const body = Buffer.concat([u64(at), u64(64)]);
    const message = Buffer.concat([Buffer.from([0x10, 16, 0, 0]), body]);
    // Not a sound block: its checksum does not fit either way.
    space.append(Buffer.concat([Buffer.from("OCHK"), message, Buffer.alloc(40)]));
    return [{ type: 0x10, body }];
  });
  const file = await openH5(path, { engine: "native" });
  assert.throws(() => file.kind("/d"), { tag: "corrupt" });
  file.close();
});

test("a header that fails its checksum is refused", async () => {
  craft(path, () => chunked([10], [10], [], undefinedAddress));
  const bytes = readFileSync(path);
  const at = bytes.indexOf("OHDR");
  bytes[at + 20] = bytes[at + 20]! ^ 1;
  writeFileSync(path, bytes);
  const file = await openH5(path, { engine: "native" });
  assert.throws(() => file.dataset("/d"), { tag: "corrupt", message: /checksum 0x/ });
  file.close();
});

test("seeded mutants of a file end in a result or a typed error", async () => {
  createSeed(path);
  const original = new Uint8Array(readFileSync(path));
  const marks = marksOf(original, signatures);
  const target = join(folder, "mutant.h5");
  const results = new Map<string, number>();
  for (let mutant = 0; mutant < 400; mutant++) {
    const random = randomFrom(mutant);
    const { bytes, what } = mutate(original, random, { marks });
    if (mutant % 2 === 0) repairChecksums(bytes, original);
    writeFileSync(target, bytes);
    const result = await walkFile(() => openH5(target, { engine: "native", maxBytes: 2 ** 24 }));
    assert.ok(!result.startsWith("untyped"), `mutant ${mutant}, ${what}: ${result}`);
    results.set(result, (results.get(result) ?? 0) + 1);
  }
  // Damage must be found, and must not be all that is found: what it does not touch stays readable.
  assert.ok((results.get("corrupt") ?? 0) > 50, JSON.stringify([...results]));
  assert.ok((results.get("refused-link") ?? 0) > 50, JSON.stringify([...results]));
});
