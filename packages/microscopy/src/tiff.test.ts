import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openImageBytes } from "./open.ts";
import { bytesOf, sampleBytes } from "./pixels.ts";
import { buildTiff, type TiffShape } from "./testing/tiff-builder.ts";
import { presentableSamples } from "./transform/presentable.ts";
import type { Plane, Region } from "./types.ts";

const shapes: fc.Arbitrary<TiffShape> = fc
  .record({
    width: fc.integer({ min: 1, max: 40 }),
    height: fc.integer({ min: 1, max: 40 }),
    samples: fc.integer({ min: 1, max: 4 }),
    bits: fc.constantFrom(8, 16, 32, 64),
    format: fc.constantFrom(1, 2, 3),
    littleEndian: fc.boolean(),
    big: fc.boolean(),
    compression: fc.constantFrom(1, 5, 8, 32773, 32946, 50000),
    predictor: fc.constantFrom(1, 2, 3),
    separate: fc.boolean(),
    tile: fc.constantFrom(0, 16, 32),
    rows: fc.integer({ min: 1, max: 40 }),
  } as const)
  .map((shape) => {
    const format = shape.bits < 32 && shape.format === 3 ? 1 : shape.format;
    return {
      ...shape,
      format,
      predictor: shape.predictor === 3 && format !== 3 ? 2 : shape.predictor,
    } as TiffShape;
  });

/** Runs and noise, so that every codec has something to do. */
function someBytes(length: number, seed: number): Uint8Array {
  let state = seed | 1;
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 31 ? (bytes[i - 1] ?? 7) : state >>> 24;
  }
  return bytes;
}

function regionIn(width: number, height: number, seed: number): Region {
  const x = seed % width;
  const y = (seed >>> 8) % height;
  return { x, y, width: 1 + ((seed >>> 16) % (width - x)), height: 1 + ((seed >>> 20) % (height - y)) };
}

function cut(pixels: Uint8Array, width: number, pixelBytes: number, region: Region): Uint8Array {
  const rows = Array.from({ length: region.height }, (_, y) => {
    const at = ((region.y + y) * width + region.x) * pixelBytes;
    return pixels.subarray(at, at + region.width * pixelBytes);
  });
  return Buffer.concat(rows);
}

const same = (plane: Plane, expected: Uint8Array) =>
  assert.ok(Buffer.from(bytesOf(plane.data)).equals(expected));

test("pixels of any byte order, depth, arrangement, codec and predictor come back, whole and by region", async () => {
  await fc.assert(
    fc.asyncProperty(shapes, fc.nat(), async (shape, seed) => {
      const pixelBytes = (shape.bits / 8) * shape.samples;
      const pixels = someBytes(shape.width * shape.height * pixelBytes, seed);
      await using image = await openImageBytes(buildTiff(shape, [{ pixels }]), "made.tif");
      const [series] = image.info.series;
      assert.equal(series?.pixelType, `${["", "uint", "int", "float"][shape.format]}${shape.bits}`);
      assert.equal(series && sampleBytes(series.pixelType), shape.bits / 8);
      const region = regionIn(shape.width, shape.height, seed);
      same(await image.plane({ region }), cut(pixels, shape.width, pixelBytes, region));
      const plane = await image.plane();
      same(plane, pixels);
      // Again over other pixels.
      const into = plane.data;
      bytesOf(into).fill(1);
      const kept = await image.plane({}, { into });
      assert.equal(kept.data, into);
      same(kept, pixels);
      await assert.rejects(image.plane({}, { into: into.subarray(1) }), { tag: "invalid-argument" });
    }),
    { numRuns: 300 },
  );
});

const plain: TiffShape = {
  width: 5,
  height: 4,
  samples: 1,
  bits: 16,
  format: 1,
  littleEndian: true,
  big: false,
  compression: 1,
  predictor: 1,
  separate: false,
  tile: 0,
  rows: 4,
};

test("an ImageJ hyperstack runs channels fastest, then slices, then frames", async () => {
  const pages = Array.from({ length: 12 }, (_, i) => ({
    pixels: new Uint8Array(40).fill(i),
    ...(i === 0 && {
      description: "ImageJ=1.53\nimages=12\nchannels=2\nslices=3\nframes=2\nhyperstack=true\n",
    }),
  }));
  await using image = await openImageBytes(buildTiff(plain, pages), "stack.tif");
  assert.equal(image.info.format, "imagej-tiff");
  assert.equal(image.info.series[0]?.axes, "TZCYX");
  const plane = await image.plane({ t: 1, z: 2, c: 0 });
  assert.equal(plane.data[0], (1 * 6 + 2 * 2) * 257);
  await assert.rejects(image.plane({ t: 2 }), { tag: "invalid-argument" });
});

test("a palette is a colour to show intensities in for ImageJ and OME, and what indices mean elsewhere", async () => {
  const shape = { ...plain, bits: 8 } as const;
  const tags = [[262, 3, [3]] as const, [320, 3, Array.from({ length: 768 }, (_, i) => i * 80)] as const];
  const ome = `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="${shape.width}" SizeY="${shape.height}" SizeZ="1" SizeC="2" SizeT="1"><Channel ID="Channel:0"/><Channel ID="Channel:1"/><TiffData/></Pixels></Image></OME>`;
  const imageJ = "ImageJ=1.53\nimages=2\nchannels=2\nmode=composite\n";
  for (const [description, photometric] of [
    [imageJ, "grey"],
    [ome, "grey"],
    ["a drawing", "palette"],
  ] as const) {
    const page = { pixels: new Uint8Array(shape.width * shape.height).fill(7), tags };
    const bytes = buildTiff(shape, [{ ...page, description }, page]);
    await using image = await openImageBytes(bytes, "a.tif");
    const series = image.info.series[0]!;
    assert.equal(series.photometric, photometric, description);
    assert.equal(presentableSamples(series), photometric === "grey" ? 1 : 3);
    assert.equal((await image.plane()).data[0], 7);
  }
});

test("an ImageJ file that ends before its first image says so", async () => {
  const page = { pixels: new Uint8Array(40) };
  const bytes = buildTiff(plain, [{ ...page, description: "ImageJ=1.53\nimages=2\nchannels=2\n" }, page]);
  // The first directory to the front, as ImageJ has it, and the file ends after it.
  const view = new DataView(bytes.buffer);
  const directory = view.getUint32(4, true);
  const end = directory + 2 + view.getUint16(directory, true) * 12 + 4;
  for (let at = directory + 2; at < end - 4; at += 12)
    if (view.getUint16(at, true) === 273) view.setUint32(at + 8, end, true);
  await assert.rejects(openImageBytes(bytes.slice(0, end), "cut.tif"), { tag: "truncated" });
});

test("a stack that ends early says so, and has the planes that are there", async () => {
  const page = (value: number, description?: string) => ({
    pixels: new Uint8Array(40).fill(value),
    ...(description !== undefined && { description }),
  });
  const imageJ = "ImageJ=1.53\nimages=3\nslices=3\n";
  for (const first of [page(0, imageJ), page(0)]) {
    const whole = buildTiff(plain, [first, page(1), page(2)]);
    await using complete = await openImageBytes(whole, "whole.tif");
    assert.equal(complete.info.cutOff, undefined);
    await using cut = await openImageBytes(whole.slice(0, whole.length - 6), "cut.tif");
    assert.ok(cut.info.cutOff);
    const { z, t } = cut.info.series[0]!.sizes;
    assert.equal(z * t, 2);
    assert.equal((await cut.plane(z > 1 ? { z: 1 } : { t: 1 })).data[0], 0x0101);
  }
  await using forgetful = await openImageBytes(buildTiff(plain, [page(0, imageJ), page(1)]), "wrong.tif");
  assert.deepEqual([forgetful.info.cutOff, forgetful.info.warnings.length > 0], [undefined, true]);
});

test("an ImageJ stack with one directory for all planes is read by their places", async () => {
  const first = buildTiff(plain, [
    { pixels: new Uint8Array(40), description: "ImageJ=1.53\nimages=3\nslices=3\n" },
  ]);
  // Pixels lie first: the directory, which follows them, is moved behind the other planes.
  const moved = new Uint8Array(first.length + 80);
  moved.set(first.subarray(0, 8));
  moved.fill(1, 48, 88);
  moved.fill(2, 88, 128);
  moved.set(first.subarray(48), 128);
  const view = new DataView(moved.buffer);
  const directory = view.getUint32(4, true) + 80;
  view.setUint32(4, directory, true);
  for (let i = 0, at = directory + 2; i < view.getUint16(directory, true); i++, at += 12)
    if (view.getUint16(at, true) === 270) view.setUint32(at + 8, view.getUint32(at + 8, true) + 80, true);
  await using image = await openImageBytes(moved, "big.tif");
  assert.equal(image.info.series[0]?.sizes.z, 3);
  assert.equal((await image.plane({ z: 2 })).data[19], 0x0202);
});

test("pages that nobody explains are a series along t, with a warning", async () => {
  const shape = { ...plain, width: 8, height: 8, rows: 8 };
  const page = { pixels: new Uint8Array(128) };
  const both = buildTiff(shape, [page, page]);
  await using stack = await openImageBytes(both, "pages.tif");
  assert.deepEqual(
    stack.info.series.map(({ sizes }) => sizes.t),
    [2],
  );
  assert.match(stack.info.warnings.join(), /2 pages and no word/);
});

test("a stack of 2,000 pages is walked, and its last page found", async () => {
  const pages = Array.from({ length: 2_000 }, (_, i) => ({ pixels: new Uint8Array(40).fill(i % 251) }));
  await using image = await openImageBytes(buildTiff(plain, pages), "long.tif");
  assert.equal(image.info.series[0]?.sizes.t, 2_000);
  assert.equal((await image.plane({ t: 1_999 })).data[0], (1_999 % 251) * 257);
});

test("what is not read is refused by name", async () => {
  const webp = buildTiff({ ...plain, compression: 50001 as 1 }, [{ pixels: new Uint8Array(40) }]);
  await assert.rejects(openImageBytes(webp, "webp.tif"), {
    tag: "unsupported",
    message: /WebP \(50001\)/,
  });
  const complex = buildTiff({ ...plain, format: 6 as 1, bits: 64 }, [{ pixels: new Uint8Array(160) }]);
  await assert.rejects(openImageBytes(complex, "complex.tif"), { tag: "unsupported", message: /complex/ });
  await assert.rejects(
    openImageBytes(new TextEncoder().encode("hello") as Uint8Array<ArrayBuffer>, "note.txt"),
    {
      tag: "not-an-image",
    },
  );
});

test("segments that hold more than they should are cut off, far more is refused", async () => {
  const pixels = someBytes(40, 7);
  const longer = (compression: 8 | 50000, more: number) =>
    buildTiff({ ...plain, compression, pad: more }, [{ pixels }]);
  for (const compression of [8, 50000] as const) {
    await using image = await openImageBytes(longer(compression, 30), "padded.tif");
    same(await image.plane(), pixels);
    await using bomb = await openImageBytes(longer(compression, 1_000_000), "bomb.tif");
    await assert.rejects(bomb.plane(), { tag: "corrupt", message: /far more than 40 bytes/ });
  }
});

test("big-endian tiles that share their bytes are the same", async () => {
  const shape = {
    width: 32,
    height: 16,
    samples: 1,
    bits: 16,
    format: 3,
    littleEndian: false,
    big: false,
    compression: 1,
    predictor: 1,
    separate: false,
    tile: 16,
    rows: 16,
  } as const;
  const pixels = new Uint8Array(new Uint16Array(512).fill(0x3c00).buffer);
  const bytes = buildTiff(shape, [{ pixels }]);
  // Half floats, and as integers, where nothing but the order is undone; the second tile lies where the first does.
  const view = new DataView(bytes.buffer);
  const directory = view.getUint32(4);
  for (let entry = directory + 2, n = view.getUint16(directory); n > 0; n--, entry += 12)
    if (view.getUint16(entry) === 324)
      view.setUint32(view.getUint32(entry + 8) + 4, view.getUint32(view.getUint32(entry + 8)));
  await using image = await openImageBytes(bytes, "shared.tif");
  assert.deepEqual(new Set((await image.plane()).data as Float32Array), new Set([1]));
  for (let entry = directory + 2, n = view.getUint16(directory); n > 0; n--, entry += 12)
    if (view.getUint16(entry) === 339) view.setUint16(entry + 8, 1);
  await using integers = await openImageBytes(bytes, "shared.tif");
  assert.deepEqual(new Set((await integers.plane()).data as Uint16Array), new Set([0x3c00]));
});
