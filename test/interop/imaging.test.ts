import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { discField, uniform } from "@cytomesh/segmentation/testing";
import { openImage } from "../../packages/microscopy/src/index.ts";
import { gaussianBlur } from "../../packages/segmentation/src/classical/blur.ts";
import { connectedComponents, fillSmallHoles } from "../../packages/segmentation/src/classical/components.ts";
import { squaredDistance } from "../../packages/segmentation/src/classical/distance.ts";
import { otsuThreshold } from "../../packages/segmentation/src/classical/otsu.ts";
import { findPeaks } from "../../packages/segmentation/src/classical/peaks.ts";
import {
  blurSigmaPx,
  segmentClassical,
  splitDynamicsPx,
} from "../../packages/segmentation/src/classical/segment.ts";
import { watershed } from "../../packages/segmentation/src/classical/watershed.ts";
import { filterInstances } from "../../packages/segmentation/src/labels.ts";

// The classical segmentation against scikit-image. Needs a Python with them, named by CYTOMESH_PYTHON.
const python = process.env.CYTOMESH_PYTHON;
const root = join(import.meta.dirname, "..", "..");
const images = join(process.env.CYTOMESH_TEST_DATA ?? join(root, "..", "shared", "data"), "imaging");
const script = join(import.meta.dirname, "imaging.py");
const minArea = 100;

async function runPython<T>(...args: string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(python!, [script, ...args], { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout) as T;
}

/** Why the test cannot run here, if it cannot. */
async function missing(): Promise<string | undefined> {
  if (!python) return "CYTOMESH_PYTHON is not set";
  return promisify(execFile)(python, ["-c", "import skimage, tifffile"]).then(
    () => undefined,
    () => "CYTOMESH_PYTHON has no scikit-image or tifffile",
  );
}

async function workspace(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "interop-imaging-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const bytesOf = (array: Uint8Array | Uint16Array | Int32Array) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Segments a field, writes every step for the oracle, and asserts that it agrees. */
async function check(t: TestContext, pixels: Uint16Array, width: number, height: number): Promise<void> {
  const dir = await workspace(t);
  const blurred = gaussianBlur(pixels, width, height, blurSigmaPx, new Uint16Array(pixels.length));
  const threshold = otsuThreshold(blurred);
  const mask = Uint8Array.from(blurred, (value) => (value > threshold ? 1 : 0));
  fillSmallHoles(mask, width, height, minArea);
  const components = connectedComponents(mask, width, height, 1, 8).areas.length - 1;
  const squared = squaredDistance(mask, width, height);
  const peaks = findPeaks(squared, width, height, splitDynamicsPx);
  const flooded = watershed(squared, width, height, peaks);
  const segmented = await segmentClassical(pixels, width, height, { fillHolesBelowPx: minArea });
  const { labels, instances, provenance } = filterInstances(segmented, {
    minAreaPx: minArea,
    clearBorder: true,
  });
  for (const [name, array] of Object.entries({ pixels, blurred, mask, squared, flooded, labels }))
    await writeFile(join(dir, name), bytesOf(array));
  const request = {
    width,
    height,
    sigma: blurSigmaPx,
    minArea,
    dynamics: splitDynamicsPx,
    peaks: [...peaks],
  };
  await writeFile(join(dir, "request.json"), JSON.stringify(request));
  const oracle = await runPython<{
    blur: number;
    otsu: number;
    components: number;
    filled: boolean;
    distance: number;
    peaks: number;
    peaksHit: number;
    differing: number;
    foreground: number;
    kept: number;
    regions: number[][];
  }>("segment", dir);
  assert.ok(oracle.blur <= 0.5 + 1e-6, `blurred values are rounded, yet differ by ${oracle.blur}`);
  assert.equal(threshold, oracle.otsu, "the threshold is that of threshold_otsu");
  assert.equal(provenance.threshold, oracle.otsu);
  assert.ok(oracle.filled, "holes are filled alike");
  assert.equal(components, oracle.components, "as many components as label finds");
  assert.equal(oracle.distance, 0, "distances are those of SciPy");
  assert.equal(peaks.length, oracle.peaks, "as many peaks as there are extended maxima");
  assert.equal(oracle.peaksHit, peaks.length, "each on one of its own");
  assert.equal(
    oracle.differing,
    0,
    `watersheds differ in ${oracle.differing} of ${oracle.foreground} pixels`,
  );
  assert.equal(instances.length, oracle.kept, "as many nuclei are whole and large enough");
  for (const [i, nucleus] of instances.entries()) {
    const [label, area, y, x, ...box] = oracle.regions[i]!;
    assert.deepEqual([nucleus.label, nucleus.areaPx], [label, area]);
    assert.deepEqual([nucleus.minY, nucleus.minX, nucleus.maxY, nucleus.maxX], box);
    assert.ok(Math.abs(nucleus.centroidY - y!) + Math.abs(nucleus.centroidX - x!) < 1e-9);
  }
}

test("a generated field is segmented as by scikit-image", async (t) => {
  const why = await missing();
  if (why) return t.skip(why);
  const random = uniform(42);
  const discs = Array.from({ length: 60 }, () => ({
    y: random() * 400,
    x: random() * 500,
    radius: 5 + 16 * random(),
  }));
  await check(t, discField(500, 400, discs, 3), 500, 400);
});

for (const name of ["stardist_img2d.tif", "BBBC022_IXMtest_A02_s9_3ch.tif", "BBBC001_ht29_nuclei.tif"])
  test(`${name} is segmented as by scikit-image`, async (t) => {
    const path = join(images, name);
    if (!existsSync(path)) return t.skip("shared data not present");
    const why = await missing();
    if (why) return t.skip(why);
    await using image = await openImage(path);
    const { data, width, height } = await image.plane();
    await check(t, Uint16Array.from(data as Uint16Array), width, height);
  });
