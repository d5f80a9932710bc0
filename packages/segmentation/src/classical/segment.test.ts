import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { filterInstances } from "../labels.ts";
import { discField, noise } from "../testing/fields.ts";
import { naiveComponents, naiveDistance, naiveOtsu, naivePeaks, naiveWatershed } from "../testing/naive.ts";
import { gaussianBlur } from "./blur.ts";
import { connectedComponents, fillSmallHoles } from "./components.ts";
import { squaredDistance } from "./distance.ts";
import { otsuThreshold } from "./otsu.ts";
import { findPeaks } from "./peaks.ts";
import { segmentClassical, splitDynamicsPx } from "./segment.ts";
import { watershed } from "./watershed.ts";

const mask = fc.integer({ min: 1, max: 14 }).chain((width) =>
  fc
    .array(fc.boolean(), { minLength: width, maxLength: width * 14 })
    .map((bits) => bits.slice(0, bits.length - (bits.length % width)))
    // Mostly foreground: thin noise has no distances to speak of.
    .chain((bits) =>
      fc.array(fc.boolean(), { minLength: bits.length, maxLength: bits.length }).map((more) => ({
        width,
        height: bits.length / width,
        mask: Uint8Array.from(bits, (bit, i) => (bit || more[i] ? 1 : 0)),
      })),
    ),
);

test("components are those of a flood fill, numbered by their first pixels", () => {
  fc.assert(
    fc.property(
      mask,
      fc.constantFrom<[0 | 1, 4 | 8]>([1, 8], [1, 4], [0, 4]),
      (image, [value, connectivity]) => {
        const { labels, areas } = connectedComponents(
          image.mask,
          image.width,
          image.height,
          value,
          connectivity,
        );
        const naive = naiveComponents(
          (i) => image.mask[i] === value,
          image.width,
          image.height,
          connectivity,
        );
        assert.deepEqual([...labels], naive);
        for (const [label, area] of areas.entries())
          if (label > 0) assert.equal(area, naive.filter((one) => one === label).length);
      },
    ),
  );
});

test("small holes are filled, large ones stay", () => {
  const width = 9;
  const ring = Uint8Array.from({ length: 81 }, (_, i) => {
    const y = Math.floor(i / width);
    const x = i % width;
    return (y === 2 && x >= 2 && x <= 3) || y === 0 || x === 0 || y === 8 || x === 8 ? 0 : 1;
  });
  const filled = ring.slice();
  fillSmallHoles(filled, width, 9, 3);
  assert.equal(filled[2 * width + 2], 1);
  assert.equal(filled[0], 0);
  const kept = ring.slice();
  fillSmallHoles(kept, width, 9, 2);
  assert.deepEqual(kept, ring);
});

test("Otsu's threshold is that of the definition", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 65_535 }), { minLength: 1, maxLength: 60 }), (values) => {
      assert.equal(otsuThreshold(Uint16Array.from(values)), naiveOtsu(values));
    }),
  );
  assert.equal(otsuThreshold(new Uint16Array(10).fill(77)), 77, "one level: that level");
});

test("distances are exact", () => {
  fc.assert(
    fc.property(mask, (image) => {
      fc.pre(image.mask.includes(0));
      const squared = squaredDistance(image.mask, image.width, image.height);
      assert.deepEqual([...squared], naiveDistance(image.mask, image.width));
    }),
  );
});

test("distances are capped where there is no background", () => {
  assert.deepEqual([...squaredDistance(new Uint8Array(6).fill(1), 3, 2)], new Array(6).fill(2_048 ** 2));
});

test("peaks and watershed are those of their definitions", () => {
  fc.assert(
    fc.property(mask, (image) => {
      fc.pre(image.mask.includes(0));
      const { width, height } = image;
      const squared = squaredDistance(image.mask, width, height);
      const peaks = findPeaks(squared, width, height, splitDynamicsPx);
      assert.deepEqual([...peaks], naivePeaks(squared, width, height, splitDynamicsPx));
      assert.deepEqual(
        [...watershed(squared, width, height, peaks)],
        naiveWatershed(squared, width, height, peaks),
      );
    }),
  );
});

test("blurring keeps a flat image and the sum of a spot", () => {
  const flat = new Uint16Array(12).fill(65_535);
  assert.deepEqual(gaussianBlur(flat, 4, 3, 1, new Uint16Array(12)), flat);
  const spot = new Uint16Array(21 * 21);
  spot[10 * 21 + 10] = 60_000;
  const sum = gaussianBlur(spot, 21, 21, 1, new Uint16Array(441)).reduce((total, value) => total + value, 0);
  assert.ok(Math.abs(sum - 60_000) < 50, `sum ${sum}`);
});

const discs = [
  { y: 40, x: 40, radius: 14 },
  { y: 40, x: 62, radius: 14 },
  { y: 90, x: 100, radius: 10 },
  { y: 20, x: 120, radius: 3 },
  { y: 118, x: 30, radius: 12 },
];

test("touching nuclei are parted; small ones and those at the border can be dropped", async () => {
  const all = await segmentClassical(discField(160, 120, discs), 160, 120);
  assert.equal(all.instances.length, 5);
  assert.equal(all.provenance.method, "classical");
  const { instances, labels } = filterInstances(all, { minAreaPx: 100, clearBorder: true });
  assert.deepEqual(
    instances.map(({ centroidY, centroidX }) => [Math.round(centroidY), Math.round(centroidX)]),
    [
      // Each lost a segment to the other: the discs overlap.
      [40, 39],
      [40, 63],
      [90, 100],
    ],
  );
  for (const nucleus of instances)
    assert.equal(labels.filter((label) => label === nucleus.label).length, nucleus.areaPx);
  const third = instances[2]!;
  assert.ok(third.minY <= 81 && third.maxY >= 100 && third.maxY - third.minY <= 23);
});

test("pixels of every type give the same nuclei", async () => {
  const pixels = discField(160, 120, discs);
  const expected = await segmentClassical(pixels, 160, 120);
  const int16 = await segmentClassical(
    Int16Array.from(pixels, (value) => value - 32_768),
    160,
    120,
  );
  assert.deepEqual(int16.labels, expected.labels);
  for (const Type of [Uint32Array, Int32Array, Float32Array, Float64Array] as const) {
    const { instances } = await segmentClassical(Type.from(pixels), 160, 120);
    // Thresholds are of 256 classes here, so an edge pixel may differ.
    assert.equal(instances.length, expected.instances.length, Type.name);
    for (const [i, one] of instances.entries())
      assert.ok(Math.abs(one.areaPx - expected.instances[i]!.areaPx) <= 3, `${Type.name} ${i}`);
  }
  const bytes = await segmentClassical(
    Uint8Array.from(pixels, (value) => value >> 8),
    160,
    120,
  );
  assert.equal(bytes.instances.length, 5);
});

test("an image of one level has no nuclei, broken ones are refused", async () => {
  assert.deepEqual((await segmentClassical(new Uint16Array(400).fill(9), 20, 20)).instances, []);
  assert.deepEqual((await segmentClassical(new Float32Array(400).fill(0.1), 20, 20)).instances, []);
  for (const broken of [Number.NaN, Number.POSITIVE_INFINITY])
    await assert.rejects(segmentClassical(Float32Array.of(1, 2, 3, broken), 2, 2), { tag: "invalid_image" });
  await assert.rejects(segmentClassical(new Uint16Array(3), 2, 2), { tag: "invalid_image" });
});

test("noise is segmented with a warning, nuclei without", async () => {
  const [width, height] = [200, 150];
  const warningsOf = async (pixels: Uint16Array | Float32Array) =>
    (await segmentClassical(pixels, width, height)).warnings.length;
  const noisy = noise(width * height, 5);
  assert.equal(await warningsOf(noisy), 1);
  assert.equal(await warningsOf(Float32Array.from(noisy, (value) => value / 7)), 1);
  const nuclei = discField(width, height, [
    { y: 40, x: 50, radius: 14 },
    { y: 100, x: 150, radius: 11 },
  ]);
  assert.equal(await warningsOf(nuclei), 0);
  assert.equal(await warningsOf(new Uint16Array(width * height).fill(7)), 0);
});

test("an abort is heard", async () => {
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(segmentClassical(new Uint16Array(400), 20, 20, {}, { signal }), { tag: "cancelled" });
});
