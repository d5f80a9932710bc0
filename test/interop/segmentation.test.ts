import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, type TestContext, test } from "node:test";
import { uniform } from "@cytomesh/segmentation/testing";
import { coverAxis, isResponsible } from "../../packages/segmentation/src/stardist/blocks.ts";
import {
  findCandidates,
  renderPolygons,
  starPolygons,
} from "../../packages/segmentation/src/stardist/instances.ts";
import { normalizePixels } from "../../packages/segmentation/src/stardist/normalize.ts";
import {
  cellsFirst,
  generatedPrediction,
  generatedThreshold,
  type PredictionSpec,
} from "../../packages/segmentation/src/testing/predictions.ts";

// The rules of StarDist against StarDist itself. Needs a Python with it (not with TensorFlow), named by CYTOMESH_PYTHON.
const python = process.env.CYTOMESH_PYTHON;
const script = join(import.meta.dirname, "segmentation.py");

/** StarDist takes longer to import than to answer: one process answers all tests. */
let reference: { ask(line: string): Promise<string> } | undefined;

/** Why the tests cannot run here, if they cannot. */
async function missing(): Promise<string | undefined> {
  if (!python) return "CYTOMESH_PYTHON is not set";
  started ??= start(python);
  reference = await started;
  return reference === undefined ? "CYTOMESH_PYTHON has no StarDist" : undefined;
}

let started: Promise<typeof reference> | undefined;
let stop = (): unknown => undefined;
after(() => stop());

async function start(interpreter: string): Promise<typeof reference> {
  // Threads of its own would only wait for each other beside other tests.
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  const child = spawn(interpreter, [script], { env, stdio: ["pipe", "pipe", "inherit"] });
  stop = () => child.kill();
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  if ((await lines.next()).value !== "ready") return undefined;
  return {
    async ask(line) {
      child.stdin.write(`${line}\n`);
      const answer = await lines.next();
      assert.ok(!answer.done, "the reference ended, see above");
      return answer.value;
    },
  };
}

async function askPython<T>(command: string, question: unknown): Promise<T> {
  assert.ok(reference);
  return JSON.parse(await reference.ask(JSON.stringify([command, question]))) as T;
}

async function workspace(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "interop-segmentation-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const bytesOf = (array: Float32Array | Uint16Array) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const usual = { size: 512, grid: 2, rays: 32, minRadius: 8, maxRadius: 20, noise: 0.15, seed: 1 };

const predictions: Record<string, PredictionSpec & { readonly nms: number }> = {
  "nuclei as of the usual network": { ...usual, nms: 0.3 },
  "nuclei, another time": { ...usual, seed: 2, nms: 0.3 },
  "small nuclei": { ...usual, size: 256, minRadius: 3, maxRadius: 6, seed: 3, nms: 0.3 },
  "large nuclei with rough outlines": {
    ...usual,
    size: 400,
    minRadius: 10,
    maxRadius: 40,
    noise: 0.6,
    seed: 4,
    nms: 0.5,
  },
  "a cell per pixel, many rays": { ...usual, size: 160, grid: 1, rays: 64, seed: 5, nms: 0.4 },
  "few rays on a coarse grid": { ...usual, grid: 4, rays: 8, seed: 6, nms: 0.2 },
  "a field of 1 Mpx": { ...usual, size: 1_024, seed: 7, nms: 0.3 },
};

for (const [name, { nms, ...spec }] of Object.entries(predictions))
  test(`survivors and labels are StarDist's to the pixel: ${name}`, async (t) => {
    const why = await missing();
    if (why) return t.skip(why);
    const folder = await workspace(t);
    const prediction = generatedPrediction(spec);
    // The image ends before the padded grid does.
    const [width, height] = [spec.size - 7, spec.size - 3];
    const { rows, columns, rays, grid } = prediction;
    const request = { rows, columns, rays, grid, width, height, prob: generatedThreshold, nms };
    await writeFile(join(folder, "request.json"), JSON.stringify(request));
    await writeFile(join(folder, "prob.f32"), bytesOf(prediction.probabilities));
    await writeFile(join(folder, "dist.f32"), bytesOf(cellsFirst(prediction)));
    const reference = await askPython<{ candidates: number; points: number[]; probabilities: number[] }>(
      "instances",
      folder,
    );
    const candidates = findCandidates(prediction, width, height, generatedThreshold);
    assert.equal(candidates.probabilities.length, reference.candidates);
    const found = await starPolygons(candidates, nms);
    assert.deepEqual([...found.points], reference.points);
    assert.deepEqual([...found.probabilities], reference.probabilities);
    const labels = renderPolygons(found, width, height);
    const expected = new Int32Array(new Uint8Array(await readFile(join(folder, "labels.i32"))).buffer);
    assert.equal(labels.filter((label, i) => label !== expected[i]).length, 0, "labels differ");
  });

/** Any sizes, blocks, overlaps, contexts and grids that the reference can follow; tiny strides end its recursion. */
function plans(
  count: number,
): [size: number, block: number, overlap: number, context: number, grid: number][] {
  const random = uniform(11);
  const whole = (end: number) => Math.floor(random() * end);
  return Array.from({ length: count }, () => {
    const block = 64 + whole(600);
    return [block + whole(2_500), block, whole(block / 3), whole(block / 5), [1, 2, 8, 16, 32][whole(5)]!];
  });
}

function coverOf([size, blockSize, minOverlap, context, grid]: readonly number[]) {
  try {
    return coverAxis(size!, { blockSize: blockSize!, minOverlap: minOverlap!, context: context! }, grid!);
  } catch (error) {
    assert.equal((error as { tag?: string }).tag, "invalid_argument");
    return null;
  }
}

test("blocks are those of StarDist for thousands of sizes, and refused where it stops at an assertion", async (t) => {
  const why = await missing();
  if (why) return t.skip(why);
  const asked = plans(4_000);
  const reference = await askPython<(number[][] | null)[]>("cover", asked);
  for (const [i, plan] of asked.entries()) {
    const blocks = coverOf(plan)?.map(({ start, end, writeStart, writeEnd }) => [
      start,
      end,
      writeStart,
      writeEnd,
    ]);
    assert.deepEqual(blocks ?? null, reference[i], plan.join());
  }
});

test("blocks answer for the objects that StarDist's answer for", async (t) => {
  const why = await missing();
  if (why) return t.skip(why);
  const random = uniform(12);
  const questions = plans(500).flatMap((plan) => {
    const blocks = coverOf(plan);
    if (blocks === null || blocks.length < 2) return [];
    const asked = Array.from({ length: 20 }, (): [number, [number, number]] => {
      const index = Math.floor(random() * blocks.length);
      const end = blocks[index]!.writeEnd - blocks[index]!.writeStart;
      const from = random() < 0.4 ? 0 : Math.floor(random() * end);
      const to = random() < 0.3 ? end : from + 1 + Math.floor(random() * (end - from));
      return [index, [from, to]];
    });
    return [{ plan, blocks, asked }];
  });
  assert.ok(questions.length > 200);
  const reference = await askPython<(boolean | string)[][]>(
    "responsible",
    questions.map(({ plan, asked }) => [plan, asked]),
  );
  for (const [i, { blocks, asked }] of questions.entries())
    for (const [k, [index, [from, to]]] of asked.entries()) {
      const answer = isResponsible(blocks[index]!, from, to);
      assert.equal(answer === "too-large" ? "too large" : answer, reference[i]?.[k]);
    }
});

test("percentile normalisation is CSBDeep's", async (t) => {
  const why = await missing();
  if (why) return t.skip(why);
  const folder = await workspace(t);
  const random = uniform(13);
  const pixels = Uint16Array.from({ length: 70_001 }, () => Math.floor(random() ** 3 * 40_000));
  await writeFile(join(folder, "pixels.u16"), bytesOf(pixels));
  await askPython("normalize", folder);
  const expected = new Float32Array(new Uint8Array(await readFile(join(folder, "percentile.f32"))).buffer);
  const worst = normalizePixels(pixels, "percentile").reduce(
    (max, value, i) => Math.max(max, Math.abs(value - expected[i]!)),
    0,
  );
  assert.ok(worst < 1e-6, `${worst}`);
});
