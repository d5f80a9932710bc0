import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, inflateSync } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import {
  type CropSource,
  createCropPngEncoder,
  encodePng,
  type PngChannels,
  type PngWindow,
} from "../index.ts";

/** Planes of seeded pixels: noise of so many bits over a slope, flat pieces, zeros. */
function planesOf(count: number, width: number, height: number, bits: number, seed: number): CropSource[] {
  let state = seed + 1;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
  return Array.from({ length: count }, () => {
    const data = new Uint16Array(width * height);
    const [slope, flat] = [random() % 40, random() % 3];
    for (let i = 0; i < data.length; i++)
      if (flat === 0 || i % 97 > 30) data[i] = (i % width) * slope + (random() & ((1 << bits) - 1));
    return { width, height, data };
  });
}

function sampleAt(planes: readonly CropSource[], index: number | undefined, y: number, x: number): number {
  const plane = index === undefined ? undefined : planes[index];
  if (plane === undefined || y < 0 || x < 0 || y >= plane.height || x >= plane.width) return 0;
  return plane.data[y * plane.width + x] as number;
}

function expected(planes: readonly CropSource[], window: PngWindow, channels: PngChannels): Uint16Array {
  const order = "grey" in channels ? [channels.grey] : [channels.red, channels.green, channels.blue];
  const pixels: number[] = [];
  for (let y = 0; y < window.height; y++)
    for (let x = 0; x < window.width; x++)
      for (const index of order) pixels.push(sampleAt(planes, index, window.top + y, window.left + x));
  return Uint16Array.from(pixels);
}

async function decoded(png: Uint8Array, grey: boolean): Promise<Uint16Array> {
  const raw = sharp(png)
    .toColourspace(grey ? "grey16" : "rgb16")
    .raw({ depth: "ushort" });
  const bytes = await raw.toBuffer();
  return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

const everyChannels: readonly PngChannels[] = [
  { grey: 0 },
  { grey: 1 },
  { blue: 0 },
  { blue: 0, green: 1 },
  { blue: 1, green: 0, red: 2 },
  { red: 1 },
  {},
];

test("libvips reads every crop as it was, over edges, of any noise", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        width: fc.integer({ min: 1, max: 90 }),
        height: fc.integer({ min: 1, max: 60 }),
        bits: fc.integer({ min: 0, max: 16 }),
        seed: fc.nat(1_000_000),
        window: fc.record({
          top: fc.integer({ min: -70, max: 70 }),
          left: fc.integer({ min: -70, max: 100 }),
          width: fc.integer({ min: 1, max: 130 }),
          height: fc.integer({ min: 1, max: 70 }),
        }),
        channels: fc.constantFrom(...everyChannels),
      }),
      async ({ width, height, bits, seed, window, channels }) => {
        const planes = planesOf(3, width, height, bits, seed);
        using encoder = createCropPngEncoder(planes);
        const png = encoder.encode(window, channels).slice();
        assert.ok(Buffer.from(encoder.encode(window, channels)).equals(png), "the same bytes twice");
        const wanted = expected(planes, window, channels);
        const found = await decoded(png, "grey" in channels);
        assert.ok(Buffer.from(found.buffer).equals(Buffer.from(wanted.buffer)));
        assert.ok(
          png.length <= wanted.length * 2 + window.height + 200,
          `${png.length} for ${wanted.length}`,
        );
      },
    ),
    { numRuns: 120 },
  );
});

test("windows that were announced are put together from rows coded once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        width: fc.integer({ min: 1, max: 90 }),
        height: fc.integer({ min: 1, max: 60 }),
        bits: fc.integer({ min: 0, max: 16 }),
        seed: fc.nat(1_000_000),
        size: fc.integer({ min: 1, max: 70 }),
        places: fc.array(
          fc.record({ top: fc.integer({ min: -40, max: 60 }), left: fc.integer({ min: -40, max: 90 }) }),
          { minLength: 1, maxLength: 8 },
        ),
        channels: fc.constantFrom(...everyChannels),
      }),
      async ({ width, height, bits, seed, size, places, channels }) => {
        const planes = planesOf(3, width, height, bits, seed);
        // Twice each, so that overlaps are worth it.
        const windows = places.flatMap((place) => {
          const window = { ...place, width: size, height: size };
          return [window, { ...window, width: size + 3 }];
        });
        using encoder = createCropPngEncoder(planes, windows);
        for (const window of [...windows, { top: 0, left: 0, width, height }]) {
          const found = await decoded(encoder.encode(window, channels).slice(), "grey" in channels);
          const wanted = expected(planes, window, channels);
          assert.ok(Buffer.from(found.buffer).equals(Buffer.from(wanted.buffer)), JSON.stringify(window));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("many windows over many bands, in all channels by turns", async () => {
  const planes = planesOf(3, 700, 500, 9, 11);
  const windows = Array.from({ length: 12 }, (_, i) => ({
    top: 37 * i - 60,
    left: 53 * i - 90,
    width: 300,
    height: 320,
  }));
  using encoder = createCropPngEncoder(planes, windows);
  for (const window of windows)
    for (const channels of everyChannels) {
      const png = encoder.encode(window, channels).slice();
      const found = await decoded(png, "grey" in channels);
      const wanted = expected(planes, window, channels);
      assert.ok(Buffer.from(found.buffer).equals(Buffer.from(wanted.buffer)), JSON.stringify(channels));
      using alone = createCropPngEncoder(planes);
      const own = alone.encode(window, channels).length;
      assert.ok(
        png.length < own * 1.02 + wanted.length / 25,
        `${png.length} against ${own} with codes of its own`,
      );
    }
});

test("many bands, of noise, of nothing and of both", async () => {
  const noise = planesOf(3, 700, 500, 16, 5);
  const window = { top: -300, left: -40, width: 760, height: 900 };
  for (const channels of everyChannels) {
    using encoder = createCropPngEncoder(noise);
    const png = encoder.encode(window, channels).slice();
    const wanted = expected(noise, window, channels);
    const found = await decoded(png, "grey" in channels);
    assert.ok(Buffer.from(found.buffer).equals(Buffer.from(wanted.buffer)), JSON.stringify(channels));
    assert.ok(png.length < wanted.length * 2);
  }
  // Noise of 16 bits does not shrink; it hardly grows.
  using encoder = createCropPngEncoder(noise);
  const whole = { top: 0, left: 0, width: 700, height: 500 };
  assert.ok(encoder.encode(whole, { grey: 0 }).length < 700 * 500 * 2 + 500 + 300);
  // Nothing is nearly nothing.
  assert.ok(encoder.encode({ ...whole, top: 5_000 }, { blue: 0, green: 1 }).length < 4_000);
});

test("rows that differ by turns are coded as well as others", async () => {
  const [noise] = planesOf(1, 300, 300, 4, 9);
  const data = noise!.data.map((value, i) => value + (Math.floor(i / 300) % 2) * 777);
  const window = { top: 3, left: 5, width: 280, height: 290 };
  using even = createCropPngEncoder([noise!]);
  using uneven = createCropPngEncoder([{ ...noise!, data }]);
  const plain = even.encode(window, { grey: 0 }).length;
  const png = uneven.encode(window, { grey: 0 });
  assert.ok(png.length < plain * 1.2, `${png.length} against ${plain}`);
  const found = await decoded(png.slice(), true);
  const wanted = expected([{ ...noise!, data }], window, { grey: 0 });
  assert.ok(Buffer.from(found.buffer).equals(Buffer.from(wanted.buffer)));
});

test("rare symbols get codes of the longest kind", async () => {
  // Counts that grow as Fibonacci's numbers would make codes of more than 12 bits.
  const data = new Uint16Array(400 * 400);
  let at = 0;
  for (let value = 1, [a, b] = [1, 1]; at < data.length && value < 250; value++, [a, b] = [b, a + b])
    for (let k = 0; k < a && at < data.length; k++) data[at++] = value % 2 === 0 ? value : value << 8;
  const planes = [{ width: 400, height: 400, data }];
  using encoder = createCropPngEncoder(planes);
  const window = { top: 0, left: 0, width: 400, height: 400 };
  for (const channels of [{ grey: 0 }, { blue: 0 }, { red: 0, green: 0, blue: 0 }] as const) {
    const found = await decoded(encoder.encode(window, channels).slice(), "grey" in channels);
    assert.ok(Buffer.from(found.buffer).equals(Buffer.from(expected(planes, window, channels).buffer)));
  }
});

test("smaller than zlib where pixels are noisy, with the pixel size in it and sound chunks", async () => {
  const [plane] = planesOf(1, 256, 256, 7, 3);
  using encoder = createCropPngEncoder([plane!]);
  const window = { top: 0, left: 0, width: 256, height: 256 };
  const png = encoder.encode(window, { grey: 0 }, { pixelSizeUm: { x: 0.1, y: 0.1 } }).slice();
  const zlib = encodePng({ ...plane!, samples: 1, pixelType: "uint16" }, { level: 2 });
  assert.ok(png.length <= zlib.length, `${png.length} against ${zlib.length}`);
  assert.equal(Math.round((await sharp(png).metadata()).density! / 25.4), 10_000);
  const view = new DataView(png.buffer);
  const types: string[] = [];
  for (let at = 8; at < png.length; at += 12 + view.getUint32(at)) {
    const size = view.getUint32(at);
    types.push(Buffer.from(png.subarray(at + 4, at + 8)).toString());
    assert.equal(view.getUint32(at + 8 + size), crc32(png.subarray(at + 4, at + 8 + size)));
    // zlib is stricter than most readers of PNG: it checks the Adler-32 too.
    if (types.at(-1) === "IDAT")
      assert.equal(inflateSync(png.subarray(at + 8, at + 8 + size)).length, 256 * 513);
  }
  assert.deepEqual(types, ["IHDR", "pHYs", "IDAT", "IEND"]);
});

test("what is no window, no plane or no longer there is refused", () => {
  const planes = planesOf(2, 8, 8, 4, 1);
  const encoder = createCropPngEncoder(planes);
  const window = { top: 0, left: 0, width: 8, height: 8 };
  for (const wrong of [
    { width: 0 },
    { height: 0 },
    { width: 16_385 },
    { top: 0.5 },
    { left: Number.NaN },
    { top: 2 ** 31 },
  ])
    assert.throws(() => encoder.encode({ ...window, ...wrong }, { grey: 0 }), { tag: "invalid-argument" });
  assert.throws(() => encoder.encode(window, { grey: 2 }), { tag: "invalid-argument" });
  const odd = { width: 9, height: 8, data: new Uint16Array(72) };
  assert.throws(() => createCropPngEncoder([...planes, odd]), { tag: "invalid-argument" });
  encoder[Symbol.dispose]();
  assert.throws(() => encoder.encode(window, { grey: 0 }), { tag: "invalid-argument" });
});
