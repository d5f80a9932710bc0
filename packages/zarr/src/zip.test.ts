import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as zlib from "node:zlib";
import { openZarr, openZip } from "./index.ts";
import { json } from "./testing/memory-store.ts";

interface Member {
  name: string;
  content: Uint8Array;
  deflate?: boolean;
  flags?: number;
  method?: number;
  /** Says more or less than there is. */
  bytes?: number;
  zip64?: boolean;
}

/** An archive by APPNOTE.TXT, with whatever lies a test needs. */
function archive(
  members: readonly Member[],
  options: { zip64?: boolean; before?: Buffer; disk?: number } = {},
): Uint8Array {
  const parts: Buffer[] = [options.before ?? Buffer.alloc(0)];
  const directory: Buffer[] = [];
  let at = 0;
  for (const member of members) {
    const stored = member.deflate ? zlib.deflateRawSync(member.content) : Buffer.from(member.content);
    const name = Buffer.from(member.name);
    const bytes = member.bytes ?? member.content.length;
    const method = member.method ?? (member.deflate ? 8 : 0);
    const fields = Buffer.alloc(24);
    fields.writeUInt16LE((member.flags ?? 0) | 0x800, 0);
    fields.writeUInt16LE(method, 2);
    fields.writeUInt32LE(zlib.crc32(member.content), 8);
    fields.writeUInt32LE(stored.length, 12);
    fields.writeUInt32LE(bytes, 16);
    fields.writeUInt16LE(name.length, 20);
    const local = Buffer.concat([Buffer.from("504b03041400", "hex"), fields, name, stored]);
    const extra = member.zip64 ? Buffer.alloc(28) : Buffer.alloc(0);
    const central = Buffer.concat([Buffer.from("504b010214001400", "hex"), fields, Buffer.alloc(14)]);
    central.writeUInt32LE(at, 42);
    if (member.zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(bytes), 4);
      extra.writeBigUInt64LE(BigInt(stored.length), 12);
      extra.writeBigUInt64LE(BigInt(at), 20);
      for (const place of [20, 24, 42]) central.writeUInt32LE(0xffffffff, place);
      central.writeUInt16LE(extra.length, 30);
    }
    directory.push(central, name, extra);
    parts.push(local);
    at += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(options.disk ?? 0, 4);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  parts.push(central);
  if (options.zip64) {
    const long = Buffer.alloc(76);
    long.writeUInt32LE(0x06064b50, 0);
    long.writeBigUInt64LE(BigInt(members.length), 32);
    long.writeBigUInt64LE(BigInt(central.length), 40);
    long.writeBigUInt64LE(BigInt(at), 48);
    long.writeUInt32LE(0x07064b50, 56);
    long.writeBigUInt64LE(BigInt(at + central.length), 64);
    parts.push(long);
    end.writeUInt16LE(0xffff, 10);
    end.writeUInt32LE(0xffffffff, 12);
    end.writeUInt32LE(0xffffffff, 16);
  }
  return new Uint8Array(Buffer.concat([...parts, end]));
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test("stored and deflated members are read whole and by range, from a file and from bytes", () => {
  const folder = mkdtempSync(join(tmpdir(), "zip-"));
  try {
    const bytes = archive([
      { name: "a/", content: text("") },
      { name: "a/stored", content: text("0123456789") },
      { name: "a/deflated", content: text("x".repeat(1000)), deflate: true },
    ]);
    const path = join(folder, "x.zip");
    writeFileSync(path, bytes);
    for (const source of [path, bytes]) {
      const zip = openZip(source);
      assert.deepEqual(zip.names(), ["a/stored", "a/deflated"]);
      assert.equal(zip.size("a/deflated"), 1000);
      assert.deepEqual(zip.read("a/stored"), text("0123456789"));
      assert.deepEqual(zip.read("a/stored", { start: 8, end: 99 }), text("89"));
      assert.deepEqual(zip.read("a/deflated", { start: 998, end: 1000 }), text("xx"));
      assert.equal(zip.read("b"), undefined);
      zip.close();
      assert.throws(() => zip.read("a/stored"), { tag: "closed" });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("ZIP64 sizes, a ZIP64 directory, and bytes in front of the archive", () => {
  const members = [{ name: "a", content: text("hello"), zip64: true }];
  assert.deepEqual(openZip(archive(members)).read("a"), text("hello"));
  assert.deepEqual(openZip(archive(members, { zip64: true })).read("a"), text("hello"));
  const before = Buffer.from("#!/bin/sh\n");
  assert.deepEqual(openZip(archive(members, { before })).read("a"), text("hello"));
  assert.deepEqual(openZip(archive(members, { before, zip64: true })).read("a"), text("hello"));
});

test("of two members with one name the last counts", () => {
  const zip = openZip(
    archive([
      { name: "a", content: text("old") },
      { name: "a", content: text("new") },
    ]),
  );
  assert.deepEqual(zip.names(), ["a"]);
  assert.deepEqual(zip.read("a"), text("new"));
});

test("what is encrypted, on several disks, or compressed otherwise is refused", () => {
  const content = text("x");
  assert.throws(() => openZip(archive([{ name: "a", content, flags: 1 }])), {
    tag: "unsupported",
    message: /encrypted/,
  });
  assert.throws(() => openZip(archive([{ name: "a", content, method: 93 }])), {
    tag: "unsupported",
    message: /Zstandard/,
  });
  assert.throws(() => openZip(archive([], { disk: 1 })), { tag: "unsupported", message: /disks/ });
});

test("names that lead out of the archive are refused", () => {
  for (const name of ["../x", "a/../../x", "/etc/passwd", "C:/x", "a\\..\\x"]) {
    assert.throws(() => openZip(archive([{ name, content: text("x") }])), { tag: "refused-path" }, name);
  }
});

test("bombs and lies about sizes end in a typed error", () => {
  const zeros = new Uint8Array(5_000_000);
  const bomb = archive([{ name: "a", content: zeros, deflate: true }]);
  assert.throws(() => openZip(bomb, { maxBytes: 1_000_000 }).read("a"), { tag: "too-large" });
  const lie = archive([{ name: "a", content: zeros, deflate: true, bytes: 1000 }]);
  assert.throws(() => openZip(lie).read("a"), { tag: "corrupt" });
  const damaged = archive([{ name: "a", content: text("0123456789") }]);
  damaged[35]! ^= 1;
  assert.throws(() => openZip(damaged).read("a"), { tag: "corrupt", message: /checksum/ });
});

test("no zip, an empty file and a cut one are told apart from a missing one", () => {
  const bytes = archive([{ name: "a", content: text("hello") }]);
  assert.throws(() => openZip(text("hello")), { tag: "not-zip" });
  assert.throws(() => openZip(new Uint8Array()), { tag: "not-zip" });
  assert.throws(() => openZip(bytes.slice(0, -5)), { tag: "not-zip" });
  assert.throws(() => openZip(bytes.slice(20)), { tag: "corrupt" });
  assert.throws(() => openZip("/nowhere/x.zip"), { tag: "file-not-found" });
  assert.throws(() => openZip(tmpdir()), { tag: "not-zip" });
});

test("a hierarchy in one folder of an archive, beside what macOS adds", () => {
  const zip = archive([
    { name: "__MACOSX/._x.zarr", content: text("x") },
    { name: "x.zarr/.zgroup", content: json({ zarr_format: 2 }) },
    { name: "x.zarr/g/.zgroup", content: json({ zarr_format: 2 }) },
    { name: "x.zarr/g/.zattrs", content: json({ a: 1 }) },
  ]);
  const reader = openZarr(zip);
  assert.deepEqual(reader.children("/"), ["g"]);
  assert.deepEqual(reader.node("g")?.attributes, { a: 1 });
});
