import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { ConversionRecipe } from "@cytomesh/contracts/jobs/v1/imaging";
import { createObjectStore, toUri } from "@cytomesh/object-store";
import { createTaskPool } from "@cytomesh/service-kit";
import { openImage } from "../../packages/microscopy/src/index.ts";
import { createStarDistSegmenter } from "../../packages/segmentation/src/index.ts";
import { type StarDistConfig, usualConfig } from "../../packages/segmentation/src/stardist/config.ts";
import { assignLayers, type WeightLayer } from "../../packages/segmentation/src/stardist/layers.ts";
import { configJson, modelKeys, modelKind } from "../../packages/segmentation/src/stardist/model.ts";
import { buildStarDistOnnx } from "../../packages/segmentation/src/stardist/network.ts";
import { convertFieldsHandler } from "../../services/imaging/src/services/convert/convert-job.ts";
import type { ImagingDeps } from "../../services/imaging/src/services/deps.ts";
import { formatMetadataHandler } from "../../services/imaging/src/services/metadata/format-job.ts";
import { attempt } from "../../services/imaging/src/testing/run-job.ts";
import { tiffOf } from "../../services/imaging/src/testing/tiff.ts";

// The conversions against a Python reference written from their rules. Needs a Python with OpenCV, named by CYTOMESH_PYTHON.
const python = process.env.CYTOMESH_PYTHON;
const root = join(import.meta.dirname, "..", "..");
const data = process.env.CYTOMESH_TEST_DATA ?? join(root, "..", "shared", "data");
const images = join(data, "imaging");
const golden = join(data, "golden", "subcell_metadata");
const script = join(import.meta.dirname, "imaging_conversion.py");

async function runPython<T>(...args: string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(python!, [script, ...args], { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout) as T;
}

/** Why a test cannot run here, if it cannot. */
async function missing(extra = ""): Promise<string | undefined> {
  if (!python) return "CYTOMESH_PYTHON is not set";
  return promisify(execFile)(python, ["-c", `import cv2, skimage, tifffile, pandas${extra}`]).then(
    () => undefined,
    () => "CYTOMESH_PYTHON has no OpenCV, scikit-image, tifffile, pandas or scPortrait",
  );
}

async function world(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "interop-conversion-"));
  const store = createObjectStore({});
  const pool = createTaskPool(new URL("../../services/imaging/src/services/tasks.ts", import.meta.url), {
    threads: 2,
  });
  t.after(async () => {
    await pool.close();
    await store.close();
    await rm(dir, { recursive: true, force: true });
  });
  const [inputs, out, tempDir] = [join(dir, "in"), join(dir, "out"), join(dir, "tmp")];
  for (const folder of [inputs, out, tempDir]) await mkdir(folder);
  const deps: ImagingDeps = {
    store,
    pool,
    tempDir,
    storeSettings: { CYTOMESH_DATA_DIR: dir },
    limits: { maxPixels: 64_000_000, maxChannels: 8, maxFieldBytes: 2 ** 30 },
  };
  const convert = (name: "opencell" | "allencell", more: object) =>
    attempt(convertFieldsHandler(deps), {
      listing: { prefixUri: `${toUri(join(inputs, name))}/`, pattern: "*.tif" },
      outputUri: toUri(join(out, name)),
      recipe: name === "opencell" ? ConversionRecipe.OPENCELL : ConversionRecipe.ALLENCELL,
      ...more,
    });
  return { dir, inputs, out, deps, convert };
}

const labels = (inputs: string) => ({
  labelsUriPattern: `${toUri(join(inputs, "labels"))}/{stem}.tif`,
});

interface CheckReport {
  crops: number;
  layouts: [number, number][];
  opencell_plain: number;
  opencell_ipp: number;
  opencell_csv: boolean;
  allencell_plain: number;
  allencell_ipp: number;
  allencell_csv: boolean;
}

for (const minAreaPx of [2_500, 150])
  test(`crops and tables of OpenCell and AllenCell are those of the reference, nuclei from ${minAreaPx} px`, async (t) => {
    const why = await missing();
    if (why) return t.skip(why);
    const { inputs, out, convert } = await world(t);
    // Real nuclei are small at their magnification: 2,500 px are for OpenCell's.
    const real = minAreaPx < 1_000 && existsSync(join(images, "stardist_img2d.tif")) ? [images] : [];
    await runPython("generate", inputs, ...real);
    const segmentation = labels(inputs);
    await convert("opencell", { segmentation, minAreaPx, outputs: { combinedPng: true, blankLines: true } });
    await convert("allencell", {});
    const report = await runPython<CheckReport>("check", inputs, out, String(minAreaPx));
    assert.ok(report.crops > 20, `${report.crops} crops`);
    assert.deepEqual(report.layouts, [[16, 2]], "16 bits, RGB");
    assert.equal(report.opencell_plain, 0, "bit for bit as OpenCV without IPP");
    assert.equal(report.allencell_plain, 0, "bit for bit as OpenCV without IPP");
    assert.ok(report.opencell_ipp <= 3 && report.allencell_ipp <= 3, "IPP rounds otherwise");
    assert.ok(report.opencell_csv, "metadata.csv of OpenCell to the byte");
    assert.ok(report.allencell_csv, "metadata.csv of AllenCell to the byte");
  });

/** A network made by hand that finds a disc of 30 px wherever the field is bright. */
function discModel(): Uint8Array {
  const config: StarDistConfig = {
    ...usualConfig,
    grid: [1, 1],
    depth: 1,
    convPerDepth: 1,
    filterBase: 1,
    convAfterUnet: 0,
  };
  const tensor = (shape: number[], data: number[]) => ({ shape, data: Float32Array.from(data) });
  const through = (channels: number) =>
    Array.from({ length: 9 * channels }, (_, i) =>
      i >= 4 * channels && i < 5 * channels && i % channels === channels - 1 ? 1 : 0,
    );
  const layers: WeightLayer[] = [
    {
      name: "down_level_0_no_0",
      kernel: tensor([3, 3, 1, 1], new Array(9).fill(1 / 9)),
      bias: tensor([1], [0]),
    },
    { name: "middle_1", kernel: tensor([3, 3, 1, 1], through(1)), bias: tensor([1], [0]) },
    { name: "up_level_0_no_1", kernel: tensor([3, 3, 2, 1], through(2)), bias: tensor([1], [0]) },
    { name: "prob", kernel: tensor([1, 1, 1, 1], [12]), bias: tensor([1], [-4]) },
    {
      name: "dist",
      kernel: tensor([1, 1, 1, 32], new Array(32).fill(0)),
      bias: tensor([32], new Array(32).fill(30)),
    },
  ];
  return buildStarDistOnnx(config, assignLayers(config, layers), {
    [modelKeys.kind]: modelKind,
    [modelKeys.config]: JSON.stringify(configJson(config)),
    [modelKeys.thresholds]: JSON.stringify({ prob: 0.6, nms: 0.01 }),
    [modelKeys.reach]: "4",
    [modelKeys.normalization]: "min-max",
    [modelKeys.sourceSha256]: "00",
  });
}

test("with a StarDist model crops and tables are those of the reference around the model's nuclei", async (t) => {
  const why = await missing();
  if (why) return t.skip(why);
  const { dir, inputs, out, convert } = await world(t);
  await runPython("generate", inputs);
  const onnx = discModel();
  const modelSha256 = createHash("sha256").update(onnx).digest("hex");
  await writeFile(join(dir, "model.onnx"), onnx);
  // The same model run on its own gives the labels that the reference is told.
  const segmenter = await createStarDistSegmenter(onnx);
  const known = new Map<string, number>();
  for (const name of await readdir(join(inputs, "opencell"))) {
    await using image = await openImage(join(inputs, "opencell", name));
    const { data, width, height } = await image.plane();
    const { labels: found, instances } = await segmenter.segment(data as Uint16Array, width, height);
    known.set(name, instances.length);
    await writeFile(
      join(inputs, "labels", name.replace("_proj", "")),
      tiffOf([{ width, height, pixels: Uint16Array.from(found) }]),
    );
  }
  await segmenter.close();
  const segmentation = { modelUri: toUri(join(dir, "model.onnx")), modelSha256 };
  const outputs = { combinedPng: true, blankLines: true };
  await convert("opencell", { segmentation, outputs, minAreaPx: 2_000 });
  await convert("allencell", {});
  const report = await runPython<CheckReport>("check", inputs, out, "2000");
  assert.ok(report.crops > 10, `${report.crops} crops of ${[...known.values()].join(", ")} nuclei`);
  assert.equal(report.opencell_plain, 0);
  assert.ok(report.opencell_csv);
  const [header, row] = (await readFile(join(out, "opencell", "crops.csv"), "utf8")).split("\n");
  const one = new Map(header!.split(",").map((column, i) => [column, row!.split(",")[i]]));
  assert.equal(one.get("segmentation"), "stardist");
  assert.equal(one.get("model_sha256"), modelSha256);
  assert.ok(Number(one.get("probability")) > 0.6);
  assert.equal(one.get("polygon")!.split(" ").length, 64);
  await assert.rejects(
    convert("opencell", {
      segmentation: { ...segmentation, modelSha256: "0".repeat(64) },
      outputUri: toUri(join(dir, "other")),
    }),
    { tag: "wrong-model", message: /expected a model with the SHA-256 0000/ },
  );
});

test("the 19-column tables are those of pandas, to the byte, with the published annotations", async (t) => {
  const why = await missing();
  if (why) return t.skip(why);
  if (!existsSync(golden)) return t.skip("shared data not present");
  const { inputs, out, deps, convert } = await world(t);
  await runPython("generate", inputs);
  await convert("opencell", { segmentation: labels(inputs) });
  await convert("allencell", {});
  const at = (name: string) => join(inputs, name);
  await copyFile(join(golden, "opencell-localization-annotations.csv"), at("annotations.csv"));
  await copyFile(join(golden, "AllenCell_structure_loc.tsv"), at("locations.tsv"));
  await copyFile(join(golden, "AllenCell_biomart_export_ensembl112.tsv"), at("genes.tsv"));
  const structures = ["HIST1H2BJ", "AAVS1", "CETN2"];
  const cells = structures.map((name, i) => `${900 + i},${name},crop_raw/hash${i}_raw.ome.tif,${70 + i},M0`);
  await writeFile(
    at("manifest.csv"),
    `CellId,structure_name,crop_raw,FOVId,cell_stage\n${cells.join("\n")}\n`,
  );
  const format = (name: "opencell" | "allencell", more: object) =>
    attempt<"formatMetadata">(formatMetadataHandler(deps), {
      recipe: name === "opencell" ? ConversionRecipe.OPENCELL : ConversionRecipe.ALLENCELL,
      metadataUri: toUri(join(out, name, "metadata.csv")),
      outputUri: toUri(join(out, `${name}.formatted.csv`)),
      ...more,
    }) as Promise<{ joins: { name: string; matched: bigint; unmatched: bigint; unmatchedKeys: string[] }[] }>;
  const opencell = await format("opencell", { annotationsUri: toUri(at("annotations.csv")) });
  await format("allencell", {
    manifestUri: toUri(at("manifest.csv")),
    locationsUri: toUri(at("locations.tsv")),
    genesUri: toUri(at("genes.tsv")),
  });
  assert.deepEqual(await runPython("format", inputs, out), { opencell: true, allencell: true });
  assert.deepEqual(opencell.joins[1]?.unmatchedKeys, ["NOGENE"]);
});

test("a .h5sc is read by scPortrait, holds the crops, scaled, and is laid out as scPortrait writes one", async (t) => {
  const why = await missing("\nfrom importlib.util import find_spec\nassert find_spec('scportrait')");
  if (why) return t.skip(why);
  const { inputs, out, convert } = await world(t);
  await runPython("generate", inputs);
  await convert("opencell", {
    listing: { prefixUri: `${toUri(join(inputs, "opencell"))}/`, pattern: "*_AAMP_*.tif" },
    segmentation: labels(inputs),
    outputs: { combinedPng: true, h5sc: true },
  });
  const [file] = (await readdir(join(out, "opencell", "crops"))).filter((name) => name.endsWith(".h5sc"));
  const { worst, areas, obs, ...report } = await runPython<{
    shape: number[];
    worst: number;
    areas: number[];
    obs: string[];
    [name: string]: unknown;
  }>("h5sc", join(out, "opencell", "crops", file!), join(out, "opencell"));
  const cells = report.shape[0]!;
  assert.ok(cells > 5);
  const count = Array.from({ length: cells }, (_, i) => i);
  assert.deepEqual(report, {
    shape: [cells, 3, 640, 640],
    cell_id: count.map((i) => i + 1),
    index: count,
    channels: ["seg_all_nucleus", "nucleus", "protein"],
    mapping: ["mask", "image_channel", "image_channel"],
    masks: [0, 1],
    pixels: true,
    different: [],
    known: {
      attributes: {
        image_size: ["<i8", 640],
        normalization: ["|b1", true],
        normalization_range: ["<f8", [0, 1]],
      },
      uns: {
        image_size: ["i", 640],
        normalization: ["b", true],
        normalization_range_lower: ["f", 0],
        normalization_range_upper: ["f", 1],
      },
    },
  });
  assert.deepEqual(obs.slice(0, 2), ["scportrait_cell_id", "label"]);
  assert.ok(worst < 5e-4, `float16 has 11 bits: ${worst}`);
  assert.ok(areas.every((area) => area > 0));
});

test("files of one channel each that others wrote give the crops of their OME-TIFF, byte for byte", async (t) => {
  const why = await missing();
  if (why) return t.skip(why);
  const { inputs, out, deps } = await world(t);
  const { channels } = await runPython<{ channels: number }>("channels", inputs);
  const crops = async (name: string, channelPattern: string) => {
    await attempt(convertFieldsHandler(deps), {
      listing: { prefixUri: `${toUri(join(inputs, name))}/` },
      outputUri: toUri(join(out, name)),
      channelPattern,
      cropSizePx: 96,
    });
    const folder = join(out, name, "crops");
    const files = (await readdir(folder)).sort();
    return Promise.all(
      files.map(async (file) => [
        file.replace(/^.*-[0-9a-f]{8}_/, ""),
        createHash("sha256")
          .update(await readFile(join(folder, file)))
          .digest("hex"),
      ]),
    );
  };
  const wanted = await crops("one", "");
  assert.ok(wanted.length >= 3 * channels && wanted.length % channels === 0, `${wanted.length} crops`);
  assert.deepEqual(await crops("hpa", "hpa"), wanted);
  assert.deepEqual(await crops("metamorph", "metamorph"), wanted);
});
