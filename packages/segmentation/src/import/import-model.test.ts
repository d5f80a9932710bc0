import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openZip } from "@cytomesh/zarr";
import fc from "fast-check";
import { type StarDistConfig, usualConfig } from "../stardist/config.ts";
import { assignLayers, type WeightLayer } from "../stardist/layers.ts";
import { configJson, openNetwork } from "../stardist/model.ts";
import { buildStarDistOnnx } from "../stardist/network.ts";
import { randomLayers } from "../testing/network.ts";
import {
  encodeForeignOnnx,
  encodeFrozenGraph,
  encodeTable,
  writeFile,
  writeKeras3,
  writeKerasH5,
  writeRaw,
  writeSavedModel,
  writeTfjs,
} from "../testing/weights.ts";
import { importModel } from "./import-model.ts";
import { readTable } from "./sstable.ts";

const config: StarDistConfig = { ...usualConfig, rays: 6, depth: 2, filterBase: 2, convAfterUnet: 4 };
const layers = randomLayers(config, 5);

function workspace(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "import-model-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const pixels = Float32Array.from({ length: 32 * 48 }, (_, i) => ((i * 7_919) % 101) / 100);

async function predictionOf(onnx: Uint8Array, of: StarDistConfig): Promise<number[]> {
  const network = await openNetwork(onnx, of);
  const { probabilities, distances } = await network.predict(pixels, 48, 32);
  await network.close();
  return [...probabilities, ...distances];
}

const expected = (of: StarDistConfig, weights: readonly WeightLayer[]) =>
  predictionOf(buildStarDistOnnx(of, assignLayers(of, weights), {}), of);

const forms: Record<string, (folder: string) => string> = {
  "a Keras .h5": (folder) => {
    writeKerasH5(join(folder, "weights_best.h5"), layers);
    return join(folder, "weights_best.h5");
  },
  "a folder with a Keras .h5": (folder) => {
    writeKerasH5(join(folder, "weights_best.h5"), layers);
    writeKerasH5(join(folder, "weights_last.h5"), randomLayers(config, 6));
    return folder;
  },
  "a whole Keras model": (folder) => {
    writeKerasH5(join(folder, "model.h5"), layers, "/model_weights");
    return join(folder, "model.h5");
  },
  "a .weights.h5 of Keras 3": (folder) => {
    writeKeras3(join(folder, "x.weights.h5"), layers);
    return join(folder, "x.weights.h5");
  },
  "a SavedModel of TensorFlow 1": (folder) => {
    writeSavedModel(folder, layers);
    return folder;
  },
  "a SavedModel of TensorFlow 2": (folder) => {
    writeSavedModel(folder, layers, "objects");
    return join(folder, "saved_model.pb");
  },
  "a SavedModel whose layers are counted": (folder) => {
    writeSavedModel(folder, layers, "counted");
    return folder;
  },
  "a frozen graph": (folder) => writeFile(folder, "dsb2018.pb", encodeFrozenGraph(layers)),
  "a TensorFlow.js model": (folder) => {
    writeTfjs(folder, layers);
    return join(folder, "model.json");
  },
  "raw weights with a manifest": (folder) => {
    writeRaw(folder, layers);
    return folder;
  },
  "an ONNX file": (folder) => writeFile(folder, "default_2d.onnx", encodeForeignOnnx(layers)),
};

for (const [form, write] of Object.entries(forms))
  test(`${form} becomes the same network`, async (t) => {
    const folder = workspace(t);
    const path = write(folder);
    const { onnx, model, warnings } = await importModel(path);
    assert.deepEqual(model.config, config);
    assert.deepEqual(model.thresholds, { prob: 0.5, nms: 0.4 });
    assert.equal(warnings.length, 2, "neither a configuration nor thresholds lay beside the weights");
    assert.deepEqual(await predictionOf(onnx, config), await expected(config, layers));
    assert.deepEqual((await importModel(path)).onnx, onnx, "the same bytes again");
    const again = await importModel(writeFile(folder, "imported/model.onnx", onnx));
    assert.equal(again.format, "cytomesh");
    assert.deepEqual(again.onnx, onnx);
  });

test("what StarDist and TensorFlow wrote predicts as they predict", async (t) => {
  const fixtures = join(import.meta.dirname, "..", "testing", "fixtures");
  const archive = openZip(join(fixtures, "tiny.zip"));
  t.after(() => archive.close());
  const want = new Float32Array(new Uint8Array(readFileSync(join(fixtures, "tiny.f32"))).buffer);
  const folder = workspace(t);
  for (const name of archive.names()) writeFile(folder, name, archive.read(name)!);
  for (const form of ["saved", "keras"]) {
    const { onnx, model } = await importModel(join(folder, form));
    const got = await predictionOf(onnx, model.config);
    assert.equal(got.length, want.length);
    assert.ok(
      got.every((value, i) => Math.abs(value - want[i]!) < 1e-5),
      form,
    );
  }
});

test("batch normalisation is folded in, with Keras and with TensorFlow", async (t) => {
  const normed = { ...config, batchNorm: true, convPerDepth: 3 };
  const weights = randomLayers(normed, 8);
  const folder = workspace(t);
  writeKerasH5(join(folder, "a.h5"), weights);
  writeSavedModel(join(folder, "saved"), weights);
  for (const path of ["a.h5", "saved"]) {
    const { onnx, model } = await importModel(join(folder, path));
    assert.deepEqual(model.config, normed);
    assert.deepEqual(await predictionOf(onnx, normed), await expected(normed, weights));
  }
});

test("quantised TensorFlow.js weights are near those they were made from", async (t) => {
  const folder = workspace(t);
  writeTfjs(folder, layers, true);
  const { onnx } = await importModel(folder);
  const want = await expected(config, layers);
  for (const [i, value] of (await predictionOf(onnx, config)).entries())
    assert.ok(Math.abs(value - want[i]!) < 0.01);
});

test("what lies beside the weights or is given counts: configuration, thresholds, checksum", async (t) => {
  const folder = workspace(t);
  const path = join(folder, "weights_best.h5");
  writeKerasH5(path, layers);
  writeFile(folder, "config.json", JSON.stringify(configJson({ ...config, activation: "elu" })));
  writeFile(folder, "thresholds.json", '{"prob": 0.479071463157368, "nms": 0.3}');
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  const { model, warnings } = await importModel(path, { sha256, normalization: "percentile" });
  assert.equal(model.config.activation, "elu");
  assert.deepEqual(model.thresholds, { prob: 0.479071463157368, nms: 0.3 });
  assert.deepEqual([model.sourceSha256, model.normalization, warnings], [sha256, "percentile", []]);
  const other = writeFile(folder, "other.json", '{"prob": 0.7, "nms": 0.1}');
  assert.deepEqual((await importModel(path, { thresholds: other })).model.thresholds, {
    prob: 0.7,
    nms: 0.1,
  });
  await assert.rejects(importModel(path, { sha256: "ab".repeat(32) }), { tag: "checksum_mismatch" });
  await assert.rejects(importModel(path, { config: writeFile(folder, "c.json", '{"n_rays": 32}') }), {
    tag: "invalid_model",
  });
});

test("the context is measured with the weights", async (t) => {
  const folder = workspace(t);
  writeKerasH5(join(folder, "a.h5"), layers);
  const { model } = await importModel(folder);
  // Depth 2 and a grid of 2: no further than the structure allows.
  assert.ok(model.reachPx > 10 && model.reachPx <= 48, `${model.reachPx}`);
});

test("files that are no weights are refused with what was expected", async (t) => {
  const folder = workspace(t);
  const refused = (path: string, message: RegExp) =>
    assert.rejects(importModel(path), { tag: "invalid_model", message });
  await refused(join(folder, "none.h5"), /there is no/);
  await refused(folder, /expected StarDist weights/);
  await refused(writeFile(folder, "a.h5", "<html>not found</html>"), /cannot be read/);
  await refused(writeFile(folder, "b.json", "{}"), /weightsManifest/);
  await refused(writeFile(folder, "c.pb", Buffer.alloc(40, 7)), /./);
  await refused(writeFile(folder, "d.zip", "PK\u0003\u0004 and then nothing"), /./);
  writeKerasH5(join(folder, "e.h5"), [...layers, { ...layers[0]!, name: "attention" }]);
  await refused(join(folder, "e.h5"), /attention/);
  await refused(folder, /expected one set of weights/);
});

test("shards outside of the folder are not read", async (t) => {
  const folder = workspace(t);
  const outside = writeFile(workspace(t), "secret.bin", Buffer.alloc(64));
  symlinkSync(outside, join(folder, "link.bin"));
  const weights = [{ name: "conv2d/kernel", shape: [16], dtype: "float32" }];
  for (const path of ["../secret.bin", outside, "link.bin"]) {
    writeFile(folder, "model.json", JSON.stringify({ weightsManifest: [{ paths: [path], weights }] }));
    await assert.rejects(importModel(join(folder, "model.json")), {
      tag: "invalid_model",
      message: /expected a file/,
    });
  }
});

test("damaged variables are found by their checksums and bounds", async (t) => {
  const folder = workspace(t);
  writeSavedModel(folder, layers);
  const data = join(folder, "variables/variables.data-00000-of-00001");
  const bytes = readFileSync(data);
  bytes[100]! ^= 1;
  writeFileSync(data, bytes);
  await assert.rejects(importModel(folder), { tag: "invalid_model", message: /checksum/ });
  truncateSync(data, 50);
  await assert.rejects(importModel(folder), { tag: "invalid_model" });
});

test("any bytes give a table or a typed error, never a hang", () => {
  const table = encodeTable([
    ["", Uint8Array.of(8, 1)],
    ["conv2d/bias", Uint8Array.of(1, 2, 3)],
    ["conv2d/kernel", new Uint8Array(300)],
  ]);
  assert.deepEqual([...readTable(table).keys()], ["", "conv2d/bias", "conv2d/kernel"]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(table.length - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
      const broken = Buffer.from(table);
      for (const [at, value] of changes) broken[at] = value;
      try {
        readTable(broken);
      } catch (error) {
        assert.equal((error as { tag?: string }).tag, "invalid_model");
      }
    }),
  );
});
