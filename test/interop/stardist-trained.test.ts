import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { createStarDistSegmenter, importModel } from "../../packages/segmentation/src/index.ts";
import { openNetwork } from "../../packages/segmentation/src/stardist/model.ts";

// A network that StarDist trained on real nuclei, from its files to the labels, against StarDist with TensorFlow. Needs a Python with both, named
// by CYTOMESH_PYTHON_TENSORFLOW: scripts/ci/python-venv.sh test/interop/requirements-tensorflow.txt
const python = process.env.CYTOMESH_PYTHON_TENSORFLOW;
const images = join(
  process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "..", "..", "..", "shared", "data"),
  "imaging",
);
/** Nuclei in grey, of other microscopes than the network has learnt from. */
const others = ["stardist_dsb_test_image.tif", "BBBC001_ht29_nuclei.tif", "faim_Projection_E07_s1_w1.tif"];

test("a trained network gives the nuclei that it gives in StarDist, to the pixel, from each of its files", {
  skip: python === undefined && "CYTOMESH_PYTHON_TENSORFLOW is not set",
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "interop-trained-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const real = others.map((name) => join(images, name)).filter(existsSync);
  const script = join(import.meta.dirname, "stardist_trained.py");
  const { stdout } = await promisify(execFile)(python!, [script, folder, ...real], { maxBuffer: 2 ** 26 });
  const sizes = JSON.parse(stdout) as [height: number, width: number, nuclei: number][];
  assert.equal(sizes.length, 1 + real.length);
  assert.ok((sizes[0]?.[2] ?? 0) > 50, `it has learnt: ${sizes}`);
  const read = async (name: string) => new Uint8Array(await readFile(join(folder, name))).buffer;
  const beside = {
    config: join(folder, "nuclei", "config.json"),
    thresholds: join(folder, "nuclei", "thresholds.json"),
  };
  for (const [file, options] of [
    ["nuclei", {}],
    ["nuclei/weights_best.h5", beside],
    ["nuclei/TF_SavedModel.zip", beside],
  ] as const) {
    const { onnx, model } = await importModel(join(folder, file), options);
    const segmenter = await createStarDistSegmenter(onnx, { normalization: "percentile" });
    const network = await openNetwork(onnx, model.config);
    for (const [i, [height, width, nuclei]] of sizes.entries()) {
      const { probabilities, distances } = await network.predict(
        new Float32Array(await read(`${i}.x.f32`)),
        width,
        height,
      );
      const furthest = (found: Float32Array, wanted: Float32Array) => {
        assert.equal(found.length, wanted.length);
        // StarDist cuts distances off at 0.001.
        return found.reduce(
          (most, v, k) => Math.max(most, Math.abs(Math.max(1e-3, v) - Math.max(1e-3, wanted[k]!))),
          0,
        );
      };
      assert.ok(furthest(probabilities, new Float32Array(await read(`${i}.prob.f32`))) < 1e-5);
      assert.ok(furthest(distances, new Float32Array(await read(`${i}.dist.f32`))) < 1e-3);
      const { labels, instances } = await segmenter.segment(
        new Uint16Array(await read(`${i}.u16`)),
        width,
        height,
      );
      const expected = new Int32Array(await read(`${i}.labels.i32`));
      assert.equal(instances.length, nuclei, `${file}, image ${i}`);
      assert.equal(labels.filter((label, k) => label !== expected[k]).length, 0, `${file}, image ${i}`);
    }
    await network.close();
    await segmenter.close();
  }
});
