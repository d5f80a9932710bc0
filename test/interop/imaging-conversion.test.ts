import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { ConversionRecipe } from "@cytomesh/contracts/jobs/v1/imaging";
import { createObjectStore, toUri } from "@cytomesh/object-store";
import { createTaskPool } from "@cytomesh/service-kit";
import { convertFieldsHandler } from "../../services/imaging/src/services/convert/convert-job.ts";
import type { ImagingDeps } from "../../services/imaging/src/services/deps.ts";
import { formatMetadataHandler } from "../../services/imaging/src/services/metadata/format-job.ts";
import { attempt } from "../../services/imaging/src/testing/run-job.ts";

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

async function missing(): Promise<string | undefined> {
  if (!python) return "CYTOMESH_PYTHON is not set";
  return promisify(execFile)(python, ["-c", "import cv2, skimage, tifffile, pandas"]).then(
    () => undefined,
    () => "CYTOMESH_PYTHON has no OpenCV, scikit-image, tifffile or pandas",
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

test("a .h5sc is read by anndata and holds the crops, scaled", async (t) => {
  const why = await missing();
  if (why) return t.skip(why);
  const { inputs, out, convert } = await world(t);
  await runPython("generate", inputs);
  await convert("opencell", {
    segmentation: labels(inputs),
    shards: 1,
    outputs: { combinedPng: true, h5sc: true },
  });
  const [file] = (await readdir(join(out, "opencell", "crops"))).filter((name) => name.endsWith(".h5sc"));
  const report = await runPython<{
    shape: number[];
    worst: number;
    areas: number[];
    [name: string]: unknown;
  }>("h5sc", join(out, "opencell", "crops", file!), join(out, "opencell"));
  const cells = report.shape[0]!;
  assert.ok(cells > 5);
  assert.deepEqual(report.shape, [cells, 3, 640, 640]);
  assert.equal(report.dtype, "float16");
  assert.deepEqual(
    report.cell_id,
    Array.from({ length: cells }, (_, i) => i + 1),
  );
  assert.deepEqual(report.attributes, { n_cells: cells, n_channels: 3, n_masks: 1, n_image_channels: 2 });
  assert.deepEqual(report.channels, ["seg_all_nucleus", "nucleus", "protein"]);
  assert.deepEqual(report.mapping, ["mask", "image_channel", "image_channel"]);
  assert.deepEqual(report.masks, [0, 1]);
  assert.equal(report.n_cells, cells);
  assert.ok(report.worst < 5e-4, `float16 has 11 bits: ${report.worst}`);
  assert.ok(report.areas.every((area) => area > 0));
});
