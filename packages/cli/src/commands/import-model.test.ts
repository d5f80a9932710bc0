import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { createH5 } from "@cytomesh/hdf5";
import { readModel } from "@cytomesh/segmentation";
import { importModelVerb } from "./import-model.ts";

const folder = await mkdtemp(join(tmpdir(), "cytomesh-cli-imaging-"));
after(() => rm(folder, { recursive: true }));

async function run(t: TestContext, ...args: string[]): Promise<string> {
  let out = "";
  const collect = (text: string) => {
    out += text;
    return true;
  };
  const mocks = [
    t.mock.method(process.stdout, "write", collect),
    t.mock.method(process.stderr, "write", collect),
  ];
  try {
    await importModelVerb.run(args, new AbortController().signal);
    return out;
  } finally {
    for (const mock of mocks) mock.mock.restore();
  }
}

/** The smallest StarDist network, with weights of zero. */
function writeWeights(path: string): void {
  const file = createH5(path);
  const shapes = { down_level_0_no_0: [3, 3, 1, 1], middle_1: [3, 3, 1, 1], up_level_0_no_1: [3, 3, 2, 1] };
  for (const [name, shape] of Object.entries({ ...shapes, prob: [1, 1, 1, 1], dist: [1, 1, 1, 4] })) {
    file.group(`/${name}`);
    const write = (part: string, sides: number[]) =>
      file.dataset(
        `/${name}/${part}:0`,
        { type: { kind: "float", size: 4 }, shape: sides },
        new Float32Array(sides.reduce((product, side) => product * side, 1)),
      );
    write("kernel", shape);
    write("bias", [shape[3]!]);
  }
  file.finish();
}

test("weights become a model file that says what it is", async (t) => {
  const weights = join(folder, "weights_best.h5");
  writeWeights(weights);
  await writeFile(join(folder, "thresholds.json"), '{"prob": 0.6, "nms": 0.2}');
  const output = join(folder, "model.onnx");
  const text = await run(t, weights, "--output", output, "--normalization", "percentile");
  const model = readModel(await readFile(output));
  assert.deepEqual([model.config.rays, model.thresholds.prob, model.normalization], [4, 0.6, "percentile"]);
  assert.match(text, new RegExp(model.sha256));
  assert.match(text, /not one of the published models/);
  assert.match(text, /no config\.json/);
  assert.match(await run(t, weights, "--output", output, "--normalization", "percentile"), /keras-h5/);
  await assert.rejects(run(t, weights, "--output", output), /another model; --overwrite/);
  const json = JSON.parse(
    (await run(t, weights, "--output", output, "--overwrite", "--json")).split("\n")[0]!,
  );
  assert.deepEqual([json.format, json.known, json.config.depth], ["keras-h5", null, 1]);
});

test("wrong calls and wrong weights say what is wrong", async (t) => {
  await assert.rejects(run(t, "x.h5"), { tag: "usage" });
  await assert.rejects(run(t, "x.h5", "z.h5", "--output", "y"), { tag: "usage" });
  await assert.rejects(run(t, "x", "--output", "y", "--sha256", "abc"), /64 hexadecimal digits/);
  await assert.rejects(run(t, join(folder, "none.h5"), "--output", join(folder, "y")), {
    tag: "invalid_model",
  });
});
