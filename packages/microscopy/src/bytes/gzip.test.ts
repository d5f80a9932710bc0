import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { openImage, openImageBytes } from "../open.ts";
import { encodePng } from "../write/png.ts";

const data = Uint16Array.from({ length: 600 }, (_, i) => (i * 7919) & 0xffff);
const png = encodePng({ width: 30, height: 20, samples: 1, pixelType: "uint16", data });
const packed = Uint8Array.from(gzipSync(png));

test("an image packed with gzip is read like the image", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "gzip-"));
  t.after(() => rm(dir, { recursive: true }));
  const path = join(dir, "field_blue.png.gz");
  await writeFile(path, packed);
  for (const opened of [openImage(path), openImageBytes(packed, "field_blue.png.GZ")]) {
    await using image = await opened;
    assert.deepEqual([image.info.format, (await image.plane()).data], ["png", data]);
  }
});

test("a gzip file that is damaged, too large, or holds no image is refused", async () => {
  const open = (bytes: Uint8Array, limits = {}) =>
    openImageBytes(Uint8Array.from(bytes), "a.tif.gz", { limits });
  await assert.rejects(open(packed.subarray(0, -20)), { tag: "truncated" });
  const damaged = Uint8Array.from(packed);
  damaged[40]! ^= 0xff;
  await assert.rejects(open(damaged), { name: "MicroscopyError", tag: /corrupt|truncated/ });
  await assert.rejects(open(gzipSync("no image, but some text of thirty characters")), {
    tag: "not-an-image",
  });
  await assert.rejects(open(packed, { maxFileBytes: 100 }), { tag: "too-large" });
  await assert.rejects(open(gzipSync(Buffer.alloc(70 * 1024 * 1024))), /unpacks to more than 67108864 bytes/);
  await assert.rejects(openImageBytes(packed, "a.tif"), { tag: "not-an-image" }, "by its name");
});
