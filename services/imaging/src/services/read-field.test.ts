import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { noise } from "../testing/fields.ts";
import { type TestPage, tiffOf } from "../testing/tiff.ts";
import { writePng16 } from "./decoder.ts";
import { describeField, openField } from "./read-field.ts";

const limits = { maxPixels: 1_000_000, maxChannels: 8, timeoutMs: 10_000 };
const size = { width: 13, height: 7 };
const count = size.width * size.height;
let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "read-field-"));
});
after(() => rm(dir, { recursive: true, force: true }));

async function fileOf(name: string, bytes: Uint8Array, override = {}) {
  const path = join(dir, name);
  await writeFile(path, bytes);
  return { path, name: `file:///fields/${name}`, limits: { ...limits, ...override } };
}

const tiff = (name: string, pages: readonly TestPage[], override = {}) =>
  fileOf(name, tiffOf(pages), override);

/** Every channel comes back value by value. */
async function roundTrip(name: string, pages: readonly TestPage[]): Promise<void> {
  const field = await openField(await tiff(name, pages));
  const samples = pages[0]?.samples ?? 1;
  assert.equal(field.channels, pages.length * samples);
  for (let channel = 0; channel < field.channels; channel++) {
    const page = pages[Math.floor(channel / samples)]!;
    const expected = Uint16Array.from(
      { length: count },
      (_, i) => page.pixels[i * samples + (channel % samples)]!,
    );
    assert.deepEqual(await field.channel(channel), expected, `${name}, channel ${channel}`);
  }
}

test("pixels come back bit by bit: 16-bit and 8-bit, pages, samples, RGB", async () => {
  const bytes = (length: number) => Uint8Array.from(noise(length), (value) => value >> 8);
  await roundTrip("grey16.tif", [{ ...size, pixels: noise(count) }]);
  await roundTrip("grey8.tif", [{ ...size, pixels: bytes(count) }]);
  await roundTrip(
    "pages16.tif",
    [1, 2, 3].map((seed) => ({ ...size, pixels: noise(count, seed) })),
  );
  await roundTrip("samples16.tif", [{ ...size, samples: 3, pixels: noise(3 * count) }]);
  await roundTrip("samples8.tif", [{ ...size, samples: 3, pixels: bytes(3 * count) }]);
  await roundTrip("rgb16.tif", [{ ...size, samples: 3, photometric: 2, pixels: noise(3 * count) }]);
  await roundTrip("rgb8.tif", [{ ...size, samples: 3, photometric: 2, pixels: bytes(3 * count) }]);
  await roundTrip("rgbx16.tif", [{ ...size, samples: 4, photometric: 2, pixels: noise(4 * count) }]);
});

test("16-bit PNG crops come back bit by bit", async () => {
  const pixels = noise(64);
  const path = join(dir, "crop.png");
  await writePng16(path, pixels, 8);
  const field = await openField({ path, name: "crop.png", limits });
  assert.deepEqual(await field.channel(0), pixels);
});

test("a file is described as it is", async () => {
  const pages = [1, 2].map((seed) => ({ ...size, pixels: noise(count, seed) }));
  assert.deepEqual(await describeField(await tiff("described.tif", pages)), {
    ...size,
    pages: 2,
    samples: 1,
    pixelType: "uint16",
    format: "tiff",
  });
});

test("what libvips reads wrong or not at all is refused, and the message says which file and what it is", async () => {
  const page = { ...size, pixels: noise(count) };
  const refuse = async (file: Parameters<typeof openField>[0], tag: string, message: RegExp) => {
    const open = async () => {
      const field = await openField(file);
      for (let channel = 0; channel < field.channels; channel++) await field.channel(channel);
    };
    await assert.rejects(open, (error: Error & { tag: string; grpcCode: string }) => {
      assert.equal(error.tag, tag);
      assert.equal(error.grpcCode, "invalid_argument");
      assert.match(error.message, message);
      assert.ok(error.message.includes(file.name) && !error.message.includes(dir), error.message);
      return true;
    });
  };
  const refused = "unreadable-image";
  await refuse(await tiff("zstd.tif", [{ ...page, compression: 50_000 }]), refused, /ZSTD/);
  await refuse(
    await tiff("j2k.tif", [page, { ...page, compression: 34_712 }]),
    refused,
    /page 1 .*JPEG 2000/,
  );
  const planes = { ...size, samples: 2, planar: 2, pixels: noise(2 * count) };
  await refuse(await tiff("planes.tif", [planes]), refused, /separate planes/);
  const alpha = { ...size, samples: 4, photometric: 2, extraSamples: 1, pixels: noise(4 * count) };
  await refuse(await tiff("alpha.tif", [alpha]), refused, /alpha/);
  await refuse(await fileOf("a.czi", Buffer.from("ZISRAWFILE and more")), refused, /Zeiss CZI/);
  await refuse(
    await fileOf("a.svg", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>")),
    refused,
    /TIFF, PNG or JPEG/,
  );
  await refuse(await fileOf("empty.tif", Buffer.alloc(0)), refused, /empty file/);
  await refuse(await fileOf("cut.tif", tiffOf([page]).subarray(0, 60)), refused, /a TIFF/);
  await refuse(await tiff("large.tif", [page], { maxPixels: 90 }), "too-large", /90 pixels/);
  await refuse(
    await tiff("many.tif", [page, page, page], { maxChannels: 2 }),
    "too-large",
    /at most 2 channels/,
  );
  const small = { width: 3, height: 3, pixels: noise(9) };
  await refuse(await tiff("sizes.tif", [page, small]), "pages-differ", /page 1 is 3 × 3/);
});

test("a channel that is not there is named", async () => {
  const field = await openField(await tiff("one.tif", [{ ...size, pixels: noise(count) }]));
  await assert.rejects(field.channel(4), { tag: "no-such-channel", message: /channel 4 .* has 1/ });
});

test("a damaged page header ends in an error, whatever byte is wrong", async () => {
  const bytes = tiffOf([{ ...size, pixels: noise(count) }]);
  for (let at = bytes.length - 126; at < bytes.length; at += 3) {
    const broken = Buffer.from(bytes);
    broken[at] = broken[at]! ^ 0xff;
    try {
      const field = await openField(await fileOf("broken.tif", broken));
      await field.channel(0);
    } catch (error) {
      assert.equal((error as { grpcCode?: string }).grpcCode, "invalid_argument", (error as Error).stack);
    }
  }
});
