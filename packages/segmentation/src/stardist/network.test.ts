import assert from "node:assert/strict";
import { test } from "node:test";
import { uniform } from "../testing/fields.ts";
import { naiveForward } from "../testing/forward.ts";
import { randomLayers } from "../testing/network.ts";
import {
  divisorOf,
  parseConfig,
  planNetwork,
  type StarDistConfig,
  structuralReach,
  usualConfig,
} from "./config.ts";
import { assignLayers, inferConfig } from "./layers.ts";
import { openNetwork } from "./model.ts";
import { buildStarDistOnnx } from "./network.ts";
import { predictTiled } from "./tiles.ts";

const tiny: StarDistConfig = { ...usualConfig, rays: 5, depth: 1, filterBase: 2, convAfterUnet: 3 };

const configs: Record<string, StarDistConfig> = {
  tiny,
  "two levels, four cells": { ...tiny, depth: 2, grid: [4, 4] },
  "a cell per pixel, no layer after the U-Net": { ...tiny, grid: [1, 1], convAfterUnet: 0, rays: 8 },
  "an uneven grid": { ...tiny, grid: [2, 4] },
  "three channels, kernels of 5 × 3": { ...tiny, channelsIn: 3, kernel: [5, 3] },
  "even kernels": { ...tiny, kernel: [2, 4] },
  "batch normalisation, three convolutions": { ...tiny, batchNorm: true, convPerDepth: 3 },
  "other activations": { ...tiny, activation: "elu", lastActivation: "tanh" },
  "pools of 3": { ...tiny, pool: [3, 3], filterBase: 3 },
};

function image(config: StarDistConfig, width: number, height: number): Float32Array {
  const random = uniform(9);
  return Float32Array.from({ length: config.channelsIn * width * height }, random);
}

for (const [name, config] of Object.entries(configs))
  test(`the graph computes what the layers say: ${name}`, async () => {
    const layers = randomLayers(config, 3);
    const [y, x] = divisorOf(config);
    const [height, width] = [2 * y, 3 * x];
    const network = await openNetwork(buildStarDistOnnx(config, assignLayers(config, layers), {}), config);
    const pixels = image(config, width, height);
    const { probabilities, distances, rows, columns } = await network.predict(pixels, width, height);
    await network.close();
    const { prob, dist } = naiveForward(config, layers, pixels, width, height);
    assert.deepEqual([rows, columns], [prob.height, prob.width]);
    const cells = rows * columns;
    for (let cell = 0; cell < cells; cell++) {
      assert.ok(Math.abs(probabilities[cell]! - prob.data[cell]!) < 1e-5);
      for (let ray = 0; ray < config.rays; ray++) {
        const expected = dist.data[cell * config.rays + ray]!;
        assert.ok(Math.abs(distances[ray * cells + cell]! - expected) < 1e-4 * (1 + Math.abs(expected)));
      }
    }
  });

test("tiles give the same cells as the whole image, padded by reflection", async () => {
  const layers = randomLayers(tiny, 4);
  const network = await openNetwork(buildStarDistOnnx(tiny, assignLayers(tiny, layers), {}), tiny);
  const pixels = image(tiny, 101, 87);
  const reach = structuralReach(tiny);
  const whole = await predictTiled(network, pixels, 101, 87, reach);
  assert.deepEqual([whole.rows, whole.columns], [44, 52]);
  const tiled = await predictTiled(network, pixels, 101, 87, reach, {}, 64 * 64);
  assert.deepEqual(tiled.probabilities, whole.probabilities);
  assert.deepEqual(tiled.distances, whole.distances);
  const padded = new Float32Array(104 * 88);
  for (let y = 0; y < 88; y++)
    for (let x = 0; x < 104; x++)
      padded[y * 104 + x] = pixels[(y < 87 ? y : 172 - y) * 101 + (x < 101 ? x : 200 - x)]!;
  const { probabilities } = await network.predict(padded, 104, 88);
  assert.deepEqual(probabilities, whole.probabilities);
  await network.close();
});

test("the usual network has the published layers and reach", () => {
  const layers = randomLayers(usualConfig);
  const parameters = layers.reduce(
    (sum, { kernel, bias }) => sum + kernel!.data.length + bias!.data.length,
    0,
  );
  assert.equal(parameters, 1_425_185);
  assert.equal(planNetwork(usualConfig).middle[1]?.name, "middle_2");
  assert.ok(
    structuralReach(usualConfig) >= 94 && structuralReach(usualConfig) <= 96,
    `${structuralReach(usualConfig)}`,
  );
});

test("configurations are read off the layers, by name or by order", () => {
  for (const [name, config] of Object.entries(configs)) {
    // Not to be told from weights: uneven grids, other activations, other pools.
    if (/uneven|activations|pools/.test(name)) continue;
    const layers = randomLayers(config);
    assert.deepEqual(inferConfig(layers), config, name);
    const counted = layers.map((layer, i) => ({ ...layer, name: `layer_${i}` }));
    assert.deepEqual(inferConfig(counted), config, `${name}, counted`);
  }
});

test("layers that are missing, unknown or of another shape are named", () => {
  const layers = randomLayers(tiny);
  const without = layers.filter((layer) => layer.name !== "middle_0");
  assert.throws(() => assignLayers(tiny, without), { tag: "invalid_model", message: /middle_0/ });
  const more = [...layers, { ...layers[0]!, name: "mystery" }];
  assert.throws(() => assignLayers(tiny, more), { tag: "invalid_model", message: /mystery/ });
  assert.throws(() => assignLayers({ ...tiny, filterBase: 4 }, layers), {
    message: /3 × 3 × 1 × 4.*3 × 3 × 1 × 2/,
  });
  assert.throws(() => inferConfig([]), { tag: "invalid_model" });
});

test("configurations of networks that are not to be run are refused", () => {
  assert.deepEqual(parseConfig({ grid: [2, 2] }), usualConfig);
  for (const [wrong, message] of [
    [{ n_dim: 3 }, /n_dim 3/],
    [{ backbone: "resnet" }, /resnet/],
    [{ n_rays: 1e9 }, /n_rays/],
    [{ unet_n_depth: 40 }, /unet_n_depth/],
    [{ grid: [3, 3] }, /powers of two/],
    [{ unet_activation: "swish" }, /unet_activation/],
    [[], /object/],
  ] as const)
    assert.throws(() => parseConfig(wrong), { tag: "invalid_model", message });
});
