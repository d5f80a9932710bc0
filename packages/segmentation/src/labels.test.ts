import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { clearBorder, filterInstances, measure, measureSampled, relabel, removeSmall } from "./labels.ts";
import { segmentationFromLabels } from "./labels-segmenter.ts";
import type { Segmentation } from "./types.ts";

const image = fc
  .record({ width: fc.integer({ min: 1, max: 9 }), height: fc.integer({ min: 1, max: 9 }) })
  .chain(({ width, height }) =>
    fc
      .array(fc.constantFrom(0, 0, 1, 2, 5, 7, 2 ** 31 - 1), {
        minLength: width * height,
        maxLength: width * height,
      })
      .map((values) => ({ width, height, labels: Int32Array.from(values) })),
  );
const labelsOf = (labels: Int32Array) => [...new Set(labels)].filter((one) => one > 0).sort((a, b) => a - b);

test("area, centroid and box are those of the pixels", () => {
  fc.assert(
    fc.property(image, ({ width, height, labels }) => {
      const measured = measure(labels, width, height);
      assert.deepEqual(
        measured.map((one) => one.label),
        labelsOf(labels),
      );
      for (const one of measured) {
        const at = [...labels.keys()].filter((i) => labels[i] === one.label);
        const ys = at.map((i) => Math.floor(i / width));
        const xs = at.map((i) => i % width);
        const mean = (list: number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
        assert.equal(one.areaPx, at.length);
        assert.deepEqual([one.minY, one.maxY], [Math.min(...ys), Math.max(...ys) + 1]);
        assert.deepEqual([one.minX, one.maxX], [Math.min(...xs), Math.max(...xs) + 1]);
        assert.ok(Math.abs(one.centroidY - mean(ys)) + Math.abs(one.centroidX - mean(xs)) < 1e-12);
      }
    }),
  );
});

test("small labels go, one of exactly the given area stays", () => {
  fc.assert(
    fc.property(image, fc.integer({ min: 0, max: 6 }), ({ labels }, minArea) => {
      const kept = labels.slice();
      removeSmall(kept, minArea);
      const area = (label: number) => labels.filter((one) => one === label).length;
      assert.deepEqual(
        kept,
        labels.map((label) => (area(label) < minArea ? 0 : label)),
      );
    }),
  );
});

test("labels of the outermost rows and columns go", () => {
  fc.assert(
    fc.property(image, ({ width, height, labels }) => {
      const kept = labels.slice();
      clearBorder(kept, width, height);
      const atEdge = (i: number) =>
        i < width || i >= labels.length - width || i % width === 0 || i % width === width - 1;
      const touching = new Set(labels.filter((_, i) => atEdge(i)));
      assert.deepEqual(
        kept,
        labels.map((label) => (touching.has(label) ? 0 : label)),
      );
    }),
  );
});

test("labels are closed up in their order", () => {
  const labels = Int32Array.of(7, 0, 3, 2 ** 31 - 1, 3);
  assert.deepEqual(relabel(labels), [3, 7, 2 ** 31 - 1]);
  assert.deepEqual([...labels], [2, 0, 1, 3, 1]);
});

test("what is known of an object stays with it when others go", () => {
  const labels = Int32Array.from("1000002000003300033000000", Number);
  const segmentation: Segmentation = {
    width: 5,
    height: 5,
    labels,
    instances: measure(labels, 5, 5).map((one) => ({
      ...one,
      probability: one.label / 10,
      polygon: Float32Array.of(one.label),
    })),
    provenance: { method: "labels" },
    warnings: [],
  };
  const whole = filterInstances(segmentation, { clearBorder: true, minAreaPx: 2 });
  assert.deepEqual(
    whole.instances.map(({ label, areaPx, probability, polygon }) => [
      label,
      areaPx,
      probability,
      polygon?.[0],
    ]),
    [[1, 4, 0.3, 3]],
  );
  assert.equal(segmentation.labels[6], 2, "the given labels are left alone");
  assert.deepEqual(filterInstances(segmentation, {}).labels, labels);
});

test("labels of any integer type become 1 to n in their order", async () => {
  const values = [0, 900, 900, 0, 30, 30];
  for (const pixels of [
    Uint16Array.from(values),
    Int32Array.from(values),
    Float32Array.from(values),
    BigInt64Array.from(values, BigInt),
    BigUint64Array.from([0n, 2n ** 63n + 1n, 2n ** 63n + 1n, 0n, 2n ** 63n, 2n ** 63n]),
  ]) {
    const { labels, instances, provenance } = await segmentationFromLabels(pixels, 3, 2);
    assert.deepEqual([...labels], [0, 2, 2, 0, 1, 1], pixels.constructor.name);
    assert.deepEqual(
      instances.map((one) => one.areaPx),
      [2, 2],
    );
    assert.deepEqual(provenance, { method: "labels" });
  }
  for (const broken of [Int8Array.of(1, -1), Float32Array.of(1, 0.5), Float64Array.of(Number.NaN, 1)])
    await assert.rejects(segmentationFromLabels(broken, 2, 1), { tag: "invalid_image" });
});

test("a sampled image is measured as if it had been made", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 12 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 4 })),
      fc.array(fc.nat(11), { minLength: 1, maxLength: 30 }),
      fc.array(fc.nat(11), { minLength: 1, maxLength: 30 }),
      (width, height, values, ys, xs) => {
        const labels = Int32Array.from({ length: width * height }, () => values.next().value as number);
        const rows = Int32Array.from(ys, (y) => y % height).sort();
        const columns = Int32Array.from(xs, (x) => x % width).sort();
        const made = new Int32Array(rows.length * columns.length);
        for (const [y, row] of rows.entries())
          for (const [x, column] of columns.entries())
            made[y * columns.length + x] = labels[row * width + column] as number;
        assert.deepEqual(
          measureSampled(labels, width, height, rows, columns),
          measure(made, columns.length, rows.length),
        );
      },
    ),
  );
});
