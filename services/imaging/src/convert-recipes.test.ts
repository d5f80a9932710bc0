import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ConversionRecipe } from "@cytomesh/contracts/jobs/v1/imaging";
import { ConvertFieldsSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { noise } from "@cytomesh/segmentation/testing";
import { convertOptionsOf } from "./schemas/options.ts";
import { convertFieldsHandler } from "./services/convert/convert-job.ts";
import { segmentField } from "./services/convert/segment-field.ts";
import { fieldsWorld, pixelsOf, type Result } from "./testing/fields.ts";
import { attempt } from "./testing/run-job.ts";
import { tiffOf } from "./testing/tiff.ts";

test("OpenCell: names, layout and metadata.csv as published; labels of the caller; an empty line by option", async (t) => {
  const { store, write, files, depsOf, outputUri } = await fieldsWorld(t);
  const side = 120;
  const labels = new Uint16Array(side * side);
  for (let y = 20; y < 80; y++) for (let x = 30; x < 80; x++) labels[y * side + x] = 7;
  for (let y = 0; y < 60; y++) for (let x = 100; x < 120; x++) labels[y * side + x] = 9;
  labels[100 * side + 3] = 3;
  const [nucleus, protein] = [noise(side * side, 3), noise(side * side, 4)];
  const page = { width: side, height: side };
  const stem = "OC-FOV_AAMP_ENSG00000127837_CID001050_FID00013888";
  const uri = await write(
    `in/${stem}_proj.tif`,
    tiffOf([
      { ...page, pixels: nucleus },
      { ...page, pixels: protein },
    ]),
  );
  const empty = await write(
    "in/OC-FOV_B_E_C_F_proj.tif",
    tiffOf([
      { ...page, pixels: nucleus },
      { ...page, pixels: protein },
    ]),
  );
  await write(`in/${stem}_labels.tif`, tiffOf([{ ...page, pixels: labels }]));
  await write("in/OC-FOV_B_E_C_F_labels.tif", tiffOf([{ ...page, pixels: new Uint16Array(side * side) }]));
  const spec = {
    uris: [uri, empty],
    outputUri,
    recipe: ConversionRecipe.OPENCELL,
    segmentation: { labelsUriPattern: "{dir}/{stem}_labels.tif" },
    outputs: { blankLines: true },
  };
  const result = (await attempt(convertFieldsHandler(depsOf(store)), spec)) as Result;
  assert.equal(result.metadataUri, `${outputUri}/metadata.csv`);
  const written = await files();
  const f = 0.206349 / 0.0800885;
  const rows = Array.from({ length: Math.round(side * f) }, (_, d) => Math.min(Math.floor(d / f), side - 1));
  const scaled = { y: rows.filter((y) => y >= 20 && y < 80), x: rows.filter((x) => x >= 30 && x < 80) };
  const middle = (of: number[], all: number[]) =>
    Math.trunc((all.indexOf(of[0]!) + all.lastIndexOf(of.at(-1)!)) / 2);
  assert.equal(
    String(written.get("metadata.csv")),
    "image,cell_id,orig_img_width,orig_img_height,orig_center_x,orig_center_y,orig_nuc_area,resz_image,resz_img_width,resz_img_height,resz_center_x,resz_center_y,resz_nuc_area\n" +
      `${stem}_proj.tif,1,120,120,54,49,3000,${stem}_crop_1_resized.png,309,309,${middle(scaled.x, rows)},${middle(scaled.y, rows)},${scaled.x.length * scaled.y.length}\n` +
      "\n",
  );
  const original = await pixelsOf(written.get(`intermediate/${stem}_crop_1.png`)!);
  assert.deepEqual([original.width, original.height, original.samples], [256, 256, 3]);
  for (const [y, x] of [
    [128, 128],
    [128 - 49, 128 - 54],
    [10, 10],
  ] as const) {
    const at = (y - 128 + 49) * side + (x - 128 + 54);
    const inside = y >= 128 - 49 && x >= 128 - 54;
    assert.deepEqual(
      [...original.data.subarray((y * 256 + x) * 3, (y * 256 + x) * 3 + 3)],
      inside ? [0, protein[at], nucleus[at]] : [0, 0, 0],
    );
  }
  const resized = await pixelsOf(written.get(`resized/${stem}_crop_1_resized.png`)!);
  assert.deepEqual([resized.width, resized.height], [640, 640]);
});

test("AllenCell: maximum over Z, the middle of the resized projection, names as published", async (t) => {
  const { store, write, files, depsOf, outputUri } = await fieldsWorld(t);
  const rgb = { width: 50, height: 41, samples: 3, photometric: 2 };
  const uri = await write("a1_raw.ome.tif", tiffOf([{ ...rgb, pixels: noise(50 * 41 * 3) }]));
  const spec = {
    uris: [uri],
    outputUri,
    recipe: ConversionRecipe.ALLENCELL,
    outputs: { pathList: true, combinedPng: true },
  };
  await attempt(convertFieldsHandler(depsOf(store)), spec);
  const written = await files();
  assert.equal(
    String(written.get("metadata.csv")),
    "image,orig_img_width,orig_img_height,resz_image,resz_img_width,resz_img_height\na1_raw.ome.tif,50,41,a1_raw.ome_crop_resized.png,68,55\n",
  );
  assert.ok(written.has("intermediate/a1_raw.ome_proj.png"));
  const png = await pixelsOf(written.get("resized/a1_raw.ome_crop_resized.png")!);
  assert.deepEqual([png.width, png.height, png.samples], [640, 640, 3]);
  assert.ok(
    png.data[(320 - 27) * 640 * 3 + 320 * 3]! > 0 && png.data[(320 + 27) * 640 * 3 + 320 * 3] === 0,
    "an odd side loses its last row",
  );
  assert.equal(
    String(written.get("path_list.csv")).split("\n")[1],
    ",,resized/a1_raw.ome_crop_resized_c0.png,resized/a1_raw.ome_crop_resized_c2.png,a1_raw.ome_crop_resized",
  );
});

test("files that a recipe cannot work with are typed errors of their own", async (t) => {
  const { store, write, depsOf, outputUri, files } = await fieldsWorld(t);
  const side = 64;
  const page = { width: side, height: side };
  const constant = new Uint16Array(side * side).fill(9);
  const tiny = new Uint16Array(side * side);
  tiny[20 * side + 21] = 1;
  for (let y = 30; y < 40; y++) for (let x = 30; x < 40; x++) tiny[y * side + x] = 2;
  const pages = (...pixels: Uint16Array[]) => tiffOf(pixels.map((one) => ({ ...page, pixels: one })));
  let runs = 0;
  const run = async (name: string, bytes: Buffer, more: object) => {
    const uri = await write(name, bytes);
    runs += 1;
    const out = `${outputUri}-${runs}`;
    await attempt(convertFieldsHandler(depsOf(store)), { uris: [uri], outputUri: out, ...more }).catch(
      () => undefined,
    );
    const errors = String((await files(`out-${runs}`)).get("errors.csv"));
    return errors.split("\n")[1]?.split(",")[1];
  };
  const opencell = { recipe: ConversionRecipe.OPENCELL };
  await write("tiny_labels.tif", pages(tiny));
  const labels = { segmentation: { labelsUriPattern: "{dir}/{stem}_labels.tif" } };
  assert.equal(await run("flat_proj.tif", pages(constant, constant), opencell), "constant-image");
  assert.equal(await run("three_proj.tif", pages(constant, constant, constant), opencell), "wrong-axes");
  assert.equal(await run("one.tif", pages(constant), { recipe: ConversionRecipe.ALLENCELL }), "wrong-axes");
  assert.equal(await run("no.tif", pages(constant), { nucleusChannel: 2 }), "no-such-channel");
  const options = convertOptionsOf(
    create(ConvertFieldsSpecSchema, { ...opencell, segmentation: { modelUri: "s3://b/m.onnx" } }),
  );
  const field = { width: side, height: side, data: noise(side * side) };
  const context = {
    signal: new AbortController().signal,
    progress: () => undefined,
    breathe: async () => undefined,
  };
  await assert.rejects(segmentField(field, options, 1, {}, "small.tif", context), {
    tag: "too-small",
    message: /small\.tif: expected sides of at least 512 px/,
  });
  assert.equal(await run("um.tif", pages(constant), { scale: { cropSizeUm: 20 } }), "no-pixel-size");
  const shrink = { ...labels, minAreaPx: 1, scale: { sourceUmPerPx: 0.1, targetUmPerPx: 1 } };
  assert.equal(await run("tiny.tif", pages(noise(side * side)), shrink), "label-vanished");
  const enlarge = { ...labels, minAreaPx: 1, scale: { sourceUmPerPx: 100, targetUmPerPx: 1 } };
  assert.equal(await run("tiny.tif", pages(noise(side * side)), enlarge), "too-large");
  const um = { ...labels, minAreaPx: 1, scale: { cropSizeUm: 3 }, outputs: { maskPng: true } };
  assert.equal(await run("tiny.tif", pages(noise(side * side)), um), "no-pixel-size");
  await write("wide_labels.tif", tiffOf([{ width: 32, height: 128, pixels: tiny }]));
  assert.equal(await run("wide.tif", pages(noise(side * side)), labels), "labels-differ");
});
