import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import sharp from "sharp";
import {
  createMaxProjection,
  cropPlane,
  encodePng,
  openImageBytes,
  type Plane,
  resizeBilinear,
  resizedSide,
  resizeNearest,
} from "./index.ts";
import { bytesOf, pixelTypeOf } from "./pixels.ts";

function noise(width: number, height: number, samples = 1, seed = 1): Plane {
  let state = seed;
  const data = Uint16Array.from({ length: width * height * samples }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 16;
  });
  return { width, height, samples, pixelType: "uint16", data };
}

/**
 * The rule in plain words: step 1 / f, coordinates, weights and sums in float32, half to even. At the left and right edge the pixel alone
 * counts; at the upper and lower edge OpenCV mixes the row with itself, which may round differently.
 */
function plainly({ width, height, data }: Plane, factor: number): number[] {
  const f = Math.fround;
  const axis = (length: number, rows: boolean) =>
    Array.from({ length: resizedSide(length, factor) }, (_, d) => {
      const at = f((d + 0.5) * (1 / factor) - 0.5);
      const i = Math.floor(at);
      if (rows) return [Math.max(0, i), Math.min(length - 1, i + 1), f(at - i)] as const;
      if (i < 0) return [0, 0, 0] as const;
      return i >= length - 1 ? ([length - 1, length - 1, 0] as const) : ([i, i + 1, f(at - i)] as const);
    });
  const mix = (a: number, b: number, w: number) => f(f(a * f(1 - w)) + f(b * w));
  const pixel = (y: number, x: number) => Number(data[y * width + x]);
  return axis(height, true).flatMap(([y0, y1, wy]) =>
    axis(width, false).map(([x0, x1, wx]) => {
      const value = mix(mix(pixel(y0, x0), pixel(y0, x1), wx), mix(pixel(y1, x0), pixel(y1, x1), wx), wy);
      return Math.min(65_535, resizedSide(value, 1));
    }),
  );
}

test("bilinear resizing follows its rule bit for bit", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 30 }),
      fc.double({ min: 0.55, max: 4, noNaN: true }),
      fc.nat(),
      (width, height, factor, seed) => {
        const plane = noise(width, height, 1, seed);
        assert.deepEqual([...resizeBilinear(plane, factor).data].map(Number), plainly(plane, factor));
      },
    ),
    { numRuns: 200 },
  );
  // More than one band, and factors that jump over rows.
  for (const [width, height, factor] of [
    [300, 211, 2.7],
    [900, 1_200, 0.37],
  ] as const) {
    const plane = noise(width, height, 1, height);
    const expected = Uint16Array.from(plainly(plane, factor));
    assert.ok(Buffer.from(expected.buffer).equals(bytesOf(resizeBilinear(plane, factor).data)));
  }
});

test("sides are rounded half to even, labels taken from floor(d / f)", () => {
  assert.equal(resizedSide(600, 0.206349 / 0.0800885), 1_546);
  assert.equal(resizedSide(5, 0.5), 2);
  assert.equal(resizedSide(7, 0.5), 4);
  const labels: Plane = { width: 3, height: 1, samples: 1, pixelType: "int32", data: Int32Array.of(1, 2, 3) };
  assert.deepEqual([...resizeNearest(labels, 2).data], [1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]);
  assert.throws(() => resizeBilinear(labels, 2), { tag: "unsupported" });
  assert.throws(() => resizeNearest(labels, 0), { tag: "invalid-argument" });
});

test("results go into memory that is given, and only where it fits", () => {
  const plane = noise(70, 50, 3);
  for (const resize of [resizeBilinear, resizeNearest]) {
    const made = resize(plane, 1.7);
    const into = new Uint16Array(made.data.length);
    const kept = resize(plane, 1.7, into);
    assert.equal(kept.data, into);
    assert.deepEqual(kept, made);
    for (const wrong of [new Uint16Array(5), new Int16Array(into.length)])
      assert.throws(() => resize(plane, 1.7, wrong), { tag: "invalid-argument", message: /write into/ });
  }
});

test("labels of every width are resized as the rule says, over many bands", () => {
  for (const array of [Uint8Array, Int16Array, Float32Array, BigInt64Array] as const) {
    const from = (array as BigInt64ArrayConstructor).from.bind(array);
    const big = (array as unknown) === BigInt64Array;
    const data = from({ length: 301 * 203 }, (_, i) => (big ? BigInt(i) : i % 120) as bigint);
    const plane = { width: 301, height: 203, samples: 1, pixelType: pixelTypeOf(data), data };
    const { width, height, data: found } = resizeNearest(plane, 2.3);
    const expected = from({ length: width * height }, (_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      return data[Math.floor(y / 2.3) * 301 + Math.floor(x / 2.3)]!;
    });
    assert.ok(Buffer.from(found.buffer).equals(Buffer.from(expected.buffer)), array.name);
  }
});

test("a projection is the greatest value of each place, signed, unsigned and float", () => {
  for (const [type, array] of [
    ["int8", Int8Array],
    ["uint8", Uint8Array],
    ["int16", Int16Array],
    ["uint16", Uint16Array],
    ["int32", Int32Array],
    ["uint32", Uint32Array],
    ["float32", Float32Array],
    ["float64", Float64Array],
  ] as const) {
    // The constructors are alike, their types are not.
    const from: Float64ArrayConstructor["from"] = (array as Float64ArrayConstructor).from.bind(array);
    const projection = createMaxProjection();
    const planes = [3, 5, 9].map((seed) => from({ length: 37 }, (_, i) => ((i * seed * 7_919) % 251) - 100));
    for (const data of planes) projection.add({ width: 37, height: 1, samples: 1, pixelType: type, data });
    const expected = from({ length: 37 }, (_, i) => Math.max(...planes.map((data) => data[i]!)));
    assert.throws(() => projection.add(noise(1, 1)), { tag: "invalid-argument" });
    assert.deepEqual(projection.result().data, expected, type);
    assert.throws(() => projection.result(), { tag: "invalid-argument" });
  }
});

test("planes are projected where they were put, beside another projection, into memory of the caller's", () => {
  const shape = { width: 300, height: 200, samples: 1, pixelType: "uint16" } as const;
  const planes = [1, 2, 3].map((seed) => noise(300, 200, 1, seed).data as Uint16Array<ArrayBuffer>);
  for (let round = 0; round < 2; round++) {
    const [projection, other] = [createMaxProjection(), createMaxProjection()];
    assert.equal(projection.room(), undefined);
    for (const data of planes) {
      const room = (projection.room() ?? new Uint16Array(data.length)) as Uint16Array<ArrayBuffer>;
      room.set(data);
      projection.add({ ...shape, data: room });
      other.add({ ...shape, data: data.map((value) => 65_535 - value) });
    }
    const into = new Uint16Array(60_000);
    assert.equal(projection.result(into).data, into);
    const greatest = planes[0]!.map((_, i) => Math.max(...planes.map((data) => data[i]!)));
    const least = planes[0]!.map((_, i) => Math.min(...planes.map((data) => data[i]!)));
    assert.deepEqual(into, greatest);
    assert.deepEqual(
      other.result().data,
      least.map((value) => 65_535 - value),
    );
  }
});

test("a crop over the edges has zeros there", () => {
  const plane = noise(4, 3);
  const { data } = cropPlane(plane, { x: -1, y: 2, width: 3, height: 2 });
  assert.deepEqual([...data], [0, plane.data[8], plane.data[9], 0, 0, 0]);
});

test("level 1 makes files of noisy pictures that are as small as zlib's, but for a few per cent", () => {
  const { data, ...shape } = noise(256, 256);
  const camera = (data as Uint16Array).map(
    (value, i) => 900 + Math.round(500 * Math.sin((i % 256) / 30) * Math.cos(i / 9_000)) + (value >> 12),
  );
  const [ours, zlibs] = [1, 2].map((level) => encodePng({ ...shape, data: camera }, { level }).length);
  assert.ok(ours! <= zlibs! * 1.03, `${ours} and ${zlibs} bytes`);
});

test("a PNG holds every pixel with every filter, its pixel size and text, and the same bytes each time", async () => {
  for (const samples of [1, 2, 3, 4])
    for (const filter of ["none", "sub", "up", "average", "paeth", "adaptive"] as const) {
      const plane = noise(33, 21, samples, samples);
      const options = {
        filter,
        pixelSizeUm: { x: 0.0800885, y: 0.0800885 },
        text: [["Title", "a crop"]] as const,
      };
      const png = encodePng(plane, options);
      assert.deepEqual(png, encodePng(plane, options));
      await using image = await openImageBytes(png, "a.png");
      assert.equal(image.info.series[0]?.bitsPerSample, 16);
      assert.deepEqual((await image.plane()).data, plane.data, `${samples} ${filter}`);
      assert.ok(Math.abs(image.info.series[0]!.pixelSizeUm!.x - 0.0800885) < 1e-7);
      const { data, info } = await sharp(png).raw({ depth: "ushort" }).toBuffer({ resolveWithObject: true });
      if (samples >= 3) assert.deepEqual([info.channels, data.length], [samples, plane.data.byteLength]);
    }
  for (const level of [0, 1, 2, 6, 9]) {
    const plane = noise(300, 70, 3, level);
    // A black channel and an empty half, as crops over an edge have them.
    const data = (plane.data as Uint16Array).map((value, i) => (i % 3 === 2 || i > 30_000 ? 0 : value >> 6));
    await using image = await openImageBytes(encodePng({ ...plane, data }, { level }), `${level}.png`);
    assert.deepEqual((await image.plane()).data, data, `level ${level}`);
  }
  const bytes: Plane = {
    width: 3,
    height: 1,
    samples: 1,
    pixelType: "uint8",
    data: Uint8Array.of(1, 2, 255),
  };
  await using image = await openImageBytes(encodePng(bytes), "b.png");
  assert.deepEqual((await image.plane()).data, bytes.data);
});
