import assert from "node:assert/strict";
import { test } from "node:test";
import { filterInstances } from "../labels.ts";
import { discField, uniform } from "../testing/fields.ts";
import { type StarDistConfig, usualConfig } from "./config.ts";
import { assignLayers, type WeightLayer } from "./layers.ts";
import { configJson, modelKeys, modelKind, readModel } from "./model.ts";
import { buildStarDistOnnx } from "./network.ts";
import { normalizePixels } from "./normalize.ts";
import { createStarDistSegmenter, type StarDistOptions } from "./segmenter.ts";

const config: StarDistConfig = {
  ...usualConfig,
  rays: 16,
  grid: [1, 1],
  depth: 1,
  convPerDepth: 1,
  filterBase: 1,
  convAfterUnet: 0,
};

/**
 * A network made by hand: the probability is that of a bright pixel, most of all amid bright ones, and every distance is `radius`. Objects are
 * discs of that radius at the middles of bright spots.
 */
function discModel(radius: number): Uint8Array {
  const tensor = (shape: number[], data: number[]) => ({ shape, data: Float32Array.from(data) });
  const through = (channelsIn: number) =>
    Array.from({ length: 9 * channelsIn }, (_, i) =>
      i >= 4 * channelsIn && i < 5 * channelsIn && i % channelsIn === channelsIn - 1 ? 1 : 0,
    );
  const layers: WeightLayer[] = [
    {
      name: "down_level_0_no_0",
      kernel: tensor([3, 3, 1, 1], new Array(9).fill(1 / 9)),
      bias: tensor([1], [0]),
    },
    { name: "middle_1", kernel: tensor([3, 3, 1, 1], through(1)), bias: tensor([1], [0]) },
    // Of [upsampled, skip] the skip goes through.
    { name: "up_level_0_no_1", kernel: tensor([3, 3, 2, 1], through(2)), bias: tensor([1], [0]) },
    { name: "prob", kernel: tensor([1, 1, 1, 1], [20]), bias: tensor([1], [-10]) },
    {
      name: "dist",
      kernel: tensor([1, 1, 1, 16], new Array(16).fill(0)),
      bias: tensor([16], new Array(16).fill(radius)),
    },
  ];
  return buildStarDistOnnx(config, assignLayers(config, layers), {
    [modelKeys.kind]: modelKind,
    [modelKeys.config]: JSON.stringify(configJson(config)),
    [modelKeys.thresholds]: JSON.stringify({ prob: 0.9, nms: 0.3 }),
    [modelKeys.reach]: "4",
    [modelKeys.normalization]: "min-max",
    [modelKeys.sourceSha256]: "00",
  });
}

const spots = [
  { y: 30, x: 30, radius: 2 },
  { y: 60, x: 64, radius: 2 },
  { y: 99, x: 150, radius: 2 },
  { y: 150, x: 66, radius: 2 },
  { y: 3, x: 120, radius: 2 },
];

async function run(options: StarDistOptions, radius = 8, discs = spots) {
  const segmenter = await createStarDistSegmenter(discModel(radius), options);
  const result = await segmenter.segment(discField(190, 170, discs), 190, 170);
  await segmenter.close();
  return result;
}

test("objects are found with probability and polygon, whole or block by block", async () => {
  const whole = await run({ blockSize: "whole" });
  assert.equal(whole.instances.length, spots.length);
  for (const spot of spots) {
    const one = whole.instances.find(
      (instance) => Math.hypot(instance.centroidY - spot.y, instance.centroidX - spot.x) < 4,
    );
    assert.ok(one !== undefined && one.probability! > 0.9 && one.polygon?.length === 32);
    const inside = spot.y > 10;
    if (inside) assert.ok(Math.abs(one.areaPx - Math.PI * 64) < 25, `${one.areaPx}`);
  }
  const probabilities = whole.instances.map((one) => one.probability!);
  assert.deepEqual(
    probabilities,
    [...probabilities].sort((a, b) => b - a),
    "label 1 is the most probable",
  );

  const blocks = await run({ blockSize: 64, minOverlap: 20 });
  assert.equal(blocks.provenance.method, "stardist");
  assert.deepEqual(blocks.provenance.method === "stardist" && blocks.provenance.blocks.columns.length, 5);
  const shape = (result: typeof whole) =>
    result.instances
      .map(({ areaPx, minY, minX, polygon }) => [
        minY,
        minX,
        areaPx,
        ...Array.from(polygon ?? [], (v) => Math.round(v * 1000)),
      ])
      .sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
  assert.deepEqual(shape(blocks), shape(whole), "the same objects, to the pixel");
});

test("what is kept of objects survives the filters", async () => {
  const all = await run({ blockSize: "whole" });
  const kept = filterInstances(all, { minAreaPx: 50, clearBorder: true });
  assert.equal(kept.instances.length, 4);
  for (const one of kept.instances) {
    const polygon = one.polygon!;
    const mean = (axis: number) =>
      polygon.filter((_, i) => i % 2 === axis).reduce((sum, value) => sum + value, 0) / (polygon.length / 2);
    assert.ok(Math.hypot(mean(0) - one.centroidY, mean(1) - one.centroidX) < 0.5);
  }
});

test("an object larger than the overlap is refused, or dropped with a warning", async () => {
  // It spans all that the first two blocks share.
  const discs = [...spots, { y: 30, x: 53, radius: 2 }];
  const options = { blockSize: 64, minOverlap: 8 };
  await assert.rejects(run(options, 12, discs), { tag: "object_too_large", message: /overlap/ });
  const dropped = await run({ ...options, largeObjects: "drop" }, 12, discs);
  assert.match(dropped.warnings[0] ?? "", /dropped/);
  assert.ok(!dropped.instances.some((one) => Math.hypot(one.centroidY - 30, one.centroidX - 53) < 4));
});

test("a field smaller than a block is one block", async () => {
  const segmenter = await createStarDistSegmenter(discModel(8));
  const { instances, provenance } = await segmenter.segment(
    discField(70, 50, [{ y: 25, x: 30, radius: 2 }]),
    70,
    50,
  );
  assert.equal(instances.length, 1);
  assert.deepEqual(provenance.method === "stardist" && provenance.blocks.rows, [0]);
  await segmenter.close();
  await assert.rejects(segmenter.segment(discField(70, 50, [{ y: 25, x: 30, radius: 2 }]), 70, 50), {
    tag: "closed",
  });
});

test("images without contrast and wrong settings are refused", async () => {
  const model = discModel(8);
  const segmenter = await createStarDistSegmenter(model);
  await assert.rejects(segmenter.segment(new Uint16Array(2_500).fill(7), 50, 50), { tag: "invalid_image" });
  await assert.rejects(segmenter.segment(new Uint16Array(2_499), 50, 50), { tag: "invalid_image" });
  const signal = AbortSignal.abort();
  await assert.rejects(
    segmenter.segment(
      Uint16Array.from({ length: 2_500 }, (_, i) => i),
      50,
      50,
      { signal },
    ),
    {
      tag: "cancelled",
    },
  );
  await segmenter.close();
  for (const wrong of [
    { probThreshold: 2 },
    { nmsThreshold: Number.NaN },
    { blockSize: -1 },
    { minOverlap: 0.5 },
  ])
    await assert.rejects(createStarDistSegmenter(model, wrong), { tag: "invalid_argument" });
  assert.throws(() => readModel(Uint8Array.of(1, 2, 3)), { tag: "invalid_model" });
});

test("min-max and percentile normalisation are those of the conversions", () => {
  assert.deepEqual([...normalizePixels(Uint16Array.of(10, 20, 15), "min-max")], [0, 1, 0.5]);
  const random = uniform(4);
  const pixels = Uint16Array.from({ length: 1_000 }, () => Math.floor(random() * 5_000));
  const counted = normalizePixels(pixels, "percentile");
  const sorted = normalizePixels(Float32Array.from(pixels), "percentile");
  assert.deepEqual(counted, sorted);
  const ranks = [...pixels].sort((a, b) => a - b);
  const at = (q: number) => {
    const position = q * 999;
    const below = Math.floor(position);
    return ranks[below]! + (ranks[below + 1]! - ranks[below]!) * (position - below);
  };
  const expected = (pixels[0]! - at(0.01)) / (at(0.998) - at(0.01));
  assert.ok(Math.abs(counted[0]! - expected) < 1e-6);
  for (const how of ["min-max", "percentile"] as const)
    assert.throws(() => normalizePixels(new Float32Array(100).fill(3), how), { tag: "invalid_image" });
});
