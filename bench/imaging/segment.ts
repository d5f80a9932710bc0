// Segmentation against StarDist's C++, onnxruntime for Python and scikit-image, one thread each: cpu seconds, best of three, and the ratio.
//   CYTOMESH_PYTHON=$(scripts/ci/python-venv.sh) node bench/imaging/segment.ts
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { discField, uniform } from "@cytomesh/segmentation/testing";
import { gaussianBlur } from "../../packages/segmentation/src/classical/blur.ts";
import { connectedComponents, fillSmallHoles } from "../../packages/segmentation/src/classical/components.ts";
import { squaredDistance } from "../../packages/segmentation/src/classical/distance.ts";
import { otsuThreshold } from "../../packages/segmentation/src/classical/otsu.ts";
import { findPeaks } from "../../packages/segmentation/src/classical/peaks.ts";
import { splitDynamicsPx } from "../../packages/segmentation/src/classical/segment.ts";
import { watershed } from "../../packages/segmentation/src/classical/watershed.ts";
import { measure as measureLabels } from "../../packages/segmentation/src/labels.ts";
import { usualConfig } from "../../packages/segmentation/src/stardist/config.ts";
import {
  findCandidates,
  renderPolygons,
  starPolygons,
} from "../../packages/segmentation/src/stardist/instances.ts";
import { assignLayers } from "../../packages/segmentation/src/stardist/layers.ts";
import { openNetwork } from "../../packages/segmentation/src/stardist/model.ts";
import { buildStarDistOnnx } from "../../packages/segmentation/src/stardist/network.ts";
import { suppressNonMaxima } from "../../packages/segmentation/src/stardist/nms.ts";
import { randomLayers } from "../../packages/segmentation/src/testing/network.ts";
import {
  cellsFirst,
  generatedPrediction,
  generatedThreshold,
} from "../../packages/segmentation/src/testing/predictions.ts";

const python = process.env.CYTOMESH_PYTHON;
const side = 1_024;
const minArea = 100;

async function best<T>(run: () => T | Promise<T>): Promise<{ result: T; seconds: number }> {
  let seconds = Number.POSITIVE_INFINITY;
  let result: T | undefined;
  for (let round = 0; round < 3; round++) {
    const before = process.cpuUsage();
    result = await run();
    const { user, system } = process.cpuUsage(before);
    seconds = Math.min(seconds, (user + system) / 1e6);
  }
  return { result: result as T, seconds };
}

function peer(command: string, folder: string): Record<string, number> {
  if (!python) return {};
  const env = { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" };
  const script = join(import.meta.dirname, "segment.py");
  return JSON.parse(execFileSync(python, [script, command, folder], { env }).toString());
}

function report(what: string, ours: number, theirs: number | undefined): void {
  const ratio = theirs === undefined ? "no peer" : `${(theirs / ours).toFixed(2)} ×`;
  console.log(
    `${what.padEnd(44)} ${ours.toFixed(4).padStart(9)} s ${(theirs ?? Number.NaN).toFixed(4).padStart(9)} s   ${ratio}`,
  );
}

const bytesOf = (array: Float32Array | Uint16Array) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

async function stardist(folder: string): Promise<void> {
  const prediction = generatedPrediction({
    size: side,
    grid: 2,
    rays: 32,
    minRadius: 8,
    maxRadius: 20,
    noise: 0.15,
    seed: 1,
  });
  const { rows, columns, rays, grid } = prediction;
  const request = {
    rows,
    columns,
    rays,
    grid,
    width: side,
    height: side,
    prob: generatedThreshold,
    nms: 0.3,
  };
  await writeFile(join(folder, "request.json"), JSON.stringify(request));
  await writeFile(join(folder, "prob.f32"), bytesOf(prediction.probabilities));
  await writeFile(join(folder, "dist.f32"), bytesOf(cellsFirst(prediction)));
  const candidates = findCandidates(prediction, side, side, generatedThreshold);
  const statistics = { clipped: 0, asked: 0 };
  await suppressNonMaxima(candidates, 0.3, {}, statistics);
  const nms = await best(() => suppressNonMaxima(candidates, 0.3));
  const found = await starPolygons(candidates, 0.3);
  const render = await best(() => renderPolygons(found, side, side));
  const reference = peer("stardist", folder);
  report(
    `NMS, ${candidates.probabilities.length} candidates, ${nms.result.length} kept`,
    nms.seconds,
    reference.nms,
  );
  console.log(`  of it ${statistics.clipped} pairs clipped, ${statistics.asked} of them by Clipper`);
  report("labels from polygons", render.seconds, reference.render);
}

async function network(folder: string): Promise<void> {
  const model = buildStarDistOnnx(usualConfig, assignLayers(usualConfig, randomLayers(usualConfig)), {});
  const random = uniform(2);
  const pixels = Float32Array.from({ length: side * side }, random);
  await writeFile(join(folder, "model.onnx"), model);
  await writeFile(join(folder, "pixels.f32"), bytesOf(pixels));
  const opened = await openNetwork(model, usualConfig);
  const { seconds } = await best(() => opened.predict(pixels, side, side));
  await opened.close();
  report("network, 1 Mpx", seconds, peer("network", folder).network);
}

async function classical(folder: string): Promise<void> {
  const random = uniform(3);
  const discs = Array.from({ length: 670 }, () => ({
    y: random() * side,
    x: random() * side,
    radius: 6 + 12 * random(),
  }));
  const pixels = discField(side, side, discs);
  await writeFile(join(folder, "pixels.u16"), bytesOf(pixels));
  await writeFile(join(folder, "request.json"), JSON.stringify({ width: side, height: side, minArea }));
  const blur = await best(() => gaussianBlur(pixels, side, side, 1, new Uint16Array(pixels.length)));
  const otsu = await best(() => otsuThreshold(blur.result));
  const holes = await best(() => {
    const mask = new Uint8Array(pixels.length);
    for (let i = 0; i < mask.length; i++) mask[i] = blur.result[i]! > otsu.result ? 1 : 0;
    fillSmallHoles(mask, side, side, minArea);
    return mask;
  });
  const mask = holes.result;
  const distance = await best(() => squaredDistance(mask, side, side));
  const label = await best(() => connectedComponents(mask, side, side, 1, 8));
  const peaks = findPeaks(distance.result, side, side, splitDynamicsPx);
  const flooded = await best(() => watershed(distance.result, side, side, peaks));
  const measured = await best(() => measureLabels(flooded.result, side, side));
  const reference = peer("classical", folder);
  for (const [name, { seconds }] of Object.entries({
    blur,
    otsu,
    holes,
    distance,
    label,
    watershed: flooded,
    measure: measured,
  }))
    report(`classical, 1 Mpx: ${name}`, seconds, reference[name]);
}

const folder = await mkdtemp(join(tmpdir(), "bench-segment-"));
try {
  console.log(`${"".padEnd(44)} ${"ours".padStart(11)} ${"Python".padStart(11)}   ratio`);
  for (const subject of [stardist, network, classical]) await subject(folder);
  console.log(`peak RSS ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
} finally {
  await rm(folder, { recursive: true });
}
