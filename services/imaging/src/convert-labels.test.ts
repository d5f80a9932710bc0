import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openH5 } from "@cytomesh/hdf5";
import { importModel } from "@cytomesh/segmentation";
import { noise } from "@cytomesh/segmentation/testing";
import { convertFieldsHandler } from "./services/convert/convert-job.ts";
import { attempt } from "./testing/run-job.ts";
import { type TestPage, tiffOf } from "./testing/tiff.ts";
import { imagingWorld } from "./testing/world.ts";

/** A network of few weights that StarDist wrote. */
const tinyModel = fileURLToPath(
  new URL("../../../packages/segmentation/src/testing/fixtures/tiny.zip", import.meta.url),
);

const side = 60;
const page = { width: side, height: side };

/** Two squares of 100 px, of the labels given. */
function squares<P extends Uint8Array | Uint16Array | Uint32Array | Int32Array>(
  into: P,
  a: number,
  b: number,
): P {
  for (let y = 20; y < 30; y++)
    for (let x = 0; x < 10; x++) {
      into[y * side + 15 + x] = a;
      into[y * side + 35 + x] = b;
    }
  return into;
}

async function world(t: TestContext) {
  const it = await imagingWorld(t);
  let runs = 0;
  /** Rows of `crops.csv`, or the line of `errors.csv`, of a field with these labels. */
  const run = async (field: Buffer, labels: readonly TestPage[], more: object = {}) => {
    const name = `f${++runs}`;
    const uri = await it.write(`${name}.tif`, field);
    await it.write(`${name}_labels.tif`, tiffOf(labels));
    const spec = {
      uris: [uri],
      cropSizePx: 16,
      segmentation: { labelsUriPattern: "{dir}/{stem}_labels.tif" },
    };
    const out = { ...spec, outputUri: `${it.outputUri}-${runs}`, ...more };
    await attempt(convertFieldsHandler(it.deps), out).catch(() => undefined);
    const written = await it.files(`out-${runs}`);
    const [header = "", ...lines] = String(written.get("crops.csv")).trimEnd().split("\n");
    const columns = header.split(",");
    const rows = lines.map((line) => new Map(line.split(",").map((value, i) => [columns[i], value])));
    return { rows, error: String(written.get("errors.csv")).split("\n")[1], written };
  };
  const field = tiffOf([{ ...page, pixels: noise(side * side) }]);
  const sourceLabels = async (labels: readonly TestPage[]) =>
    (await run(field, labels)).rows.map((row) => [row.get("label"), row.get("source_label")]);
  return { ...it, run, field, sourceLabels };
}

const px = side * side;

test("labels of every depth are taken as they are stored, and the table says what they were", async (t) => {
  const { sourceLabels } = await world(t);
  const expected = (a: number, b: number) => [
    ["1", String(a)],
    ["2", String(b)],
  ];
  for (const [pixels, a, b] of [
    [squares(new Uint8Array(px), 7, 255), 7, 255],
    [squares(new Uint16Array(px), 3, 65_535), 3, 65_535],
    [squares(new Uint32Array(px), 70_000, 4_294_967_295), 70_000, 4_294_967_295],
    [squares(new Int32Array(px), 1, 2_147_483_647), 1, 2_147_483_647],
  ] as const)
    assert.deepEqual(await sourceLabels([{ ...page, pixels }]), expected(a, b));
  // Colours with one red: as pictures they would be one label.
  const palette = new Uint16Array(768).fill(255);
  const coloured = { ...page, pixels: squares(new Uint8Array(px), 1, 2), photometric: 3, palette };
  assert.deepEqual(await sourceLabels([coloured]), expected(1, 2));
});

test("what is no label image is refused, and the error names its file", async (t) => {
  const { run, field } = await world(t);
  const errorOf = async (...labels: TestPage[]) => (await run(field, labels)).error;
  const negative = { ...page, pixels: squares(new Int32Array(px), 1, -2) };
  assert.match(
    String(await errorOf(negative)),
    /unsupported-pixels,.*_labels\.tif: expected labels.*found -2/,
  );
  const picture = { ...page, samples: 3, photometric: 2, pixels: new Uint8Array(3 * px) };
  assert.match(String(await errorOf(picture)), /wrong-axes,.*_labels\.tif: .*found 3 samples/);
  const plain = { ...page, pixels: squares(new Uint16Array(px), 1, 2) };
  assert.match(String(await errorOf(plain, plain)), /wrong-axes,.*found 1 channels and 2 time points/);
});

test("a folder is not completed with another model or other labels", async (t) => {
  const { write, outputUri, deps, store } = await world(t);
  const uri = await write("a.tif", tiffOf([{ ...page, pixels: noise(px) }]));
  const labels = (a: number) =>
    write("a_labels.tif", tiffOf([{ ...page, pixels: squares(new Uint16Array(px), a, 9) }]));
  await labels(1);
  const spec = { uris: [uri], outputUri, segmentation: { labelsUriPattern: "{dir}/{stem}_labels.tif" } };
  const convert = () => attempt(convertFieldsHandler(deps), spec);
  await convert();
  await convert();
  await labels(2);
  await assert.rejects(convert(), { tag: "output-conflict", message: /a_labels\.tif/ });

  const at = `${outputUri}-model`;
  const { onnx } = await importModel(tinyModel);
  const modelUri = await write("model.onnx", onnx);
  const withModel = { uris: [uri], outputUri: at, segmentation: { modelUri } };
  const again = () => attempt(convertFieldsHandler(deps), withModel);
  await again();
  await again();
  await write("model.onnx", (await importModel(tinyModel, { normalization: "percentile" })).onnx);
  const refused = { tag: "output-conflict", message: /another model/ };
  await assert.rejects(again(), refused);
  await store.delete(`${at}/manifest.json`);
  await assert.rejects(again(), refused);
});

test("a field that changed since its crops were made is refused, the others are completed", async (t) => {
  const { write, outputUri, deps, files } = await world(t);
  const field = (value: number) => tiffOf([{ ...page, pixels: squares(new Uint16Array(px), value, value) }]);
  const names = ["a.tif", "b.tif", "c.tif"];
  const uris = await Promise.all(
    names.map((name) => write(name, name === "c.tif" ? "no image" : field(900))),
  );
  const convert = () =>
    attempt(convertFieldsHandler(deps), { uris, outputUri, shards: 1, cropSizePx: 16, minAreaPx: 50 });
  await assert.rejects(convert(), { message: /1 of 3 field/ });
  await write("b.tif", field(800));
  await write("c.tif", field(900));
  // Also when it is asked again.
  for (let i = 0; i < 2; i++) await assert.rejects(convert(), { message: /1 of 3 field/ });
  const errors = String((await files()).get("errors.csv"));
  assert.match(errors, /b\.tif,output-conflict,.*another content of .*b\.tif/);
  await write("b.tif", field(900));
  assert.partialDeepStrictEqual(await convert(), { crops: 6n, failedFields: 0 });
});

test("a job without a crop has its sheet and tables, and says so again when it is asked again", async (t) => {
  const { write, outputUri, deps, files } = await world(t);
  const uri = await write("a.tif", tiffOf([{ ...page, pixels: noise(px) }]));
  await write("a_labels.tif", tiffOf([{ ...page, pixels: new Uint8Array(px) }]));
  const spec = { uris: [uri], outputUri, segmentation: { labelsUriPattern: "{dir}/{stem}_labels.tif" } };
  const first = await attempt(convertFieldsHandler(deps), spec);
  assert.deepEqual(await attempt(convertFieldsHandler(deps), spec), first);
  assert.partialDeepStrictEqual(first, { crops: 0n, emptyFields: 1 });
  assert.ok((await files()).has("contact/index.html"));
});

test("a model that no field could be segmented with ends the job before the first", async (t) => {
  const { write, outputUri, deps } = await world(t);
  const uris = [await write("a.tif", tiffOf([{ ...page, pixels: noise(px) }]))];
  const { onnx } = await importModel(tinyModel);
  const modelUri = await write("model.onnx", onnx);
  let runs = 0;
  const convert = (segmentation: object) =>
    attempt(convertFieldsHandler(deps), { uris, outputUri: `${outputUri}-${++runs}`, segmentation });
  await assert.rejects(convert({ modelUri: await write("no.onnx", "no model") }), {
    tag: "wrong-model",
    message: /no\.onnx/,
  });
  await assert.rejects(convert({ modelUri, modelSha256: "0".repeat(64) }), { tag: "wrong-model" });
  await assert.rejects(convert({ modelUri, blockSize: 64, minOverlap: 64 }), {
    tag: "bad-options",
    message: /model\.onnx: expected overlap/,
  });
});

test("a shard of fields of several shapes has a .h5sc for each", async (t) => {
  const { write, dir, outputUri, deps } = await world(t);
  const plane = { ...page, pixels: noise(px) };
  const uris = [
    await write("a.tif", tiffOf([plane, plane])),
    await write("b.tif", tiffOf([plane, plane, plane])),
    await write("c.tif", tiffOf([plane, plane])),
  ];
  for (const name of ["a", "b", "c"])
    await write(`${name}_labels.tif`, tiffOf([{ ...page, pixels: squares(new Uint8Array(px), 1, 2) }]));
  await attempt(convertFieldsHandler(deps), {
    uris,
    outputUri,
    shards: 1,
    cropSizePx: 16,
    segmentation: { labelsUriPattern: "{dir}/{stem}_labels.tif" },
    outputs: { h5sc: true },
  });
  const shapes = [];
  for (const name of ["00000.h5sc", "00000-2.h5sc"]) {
    const file = await openH5(join(dir, "out", "crops", name));
    shapes.push((await file.dataset("/obsm/single_cell_images")).shape);
    await file.close();
  }
  assert.deepEqual(shapes, [
    [4, 3, 16, 16],
    [2, 4, 16, 16],
  ]);
});

test("sizes in µm need square pixels; a camera of 12 bits is saturated at 4,095", async (t) => {
  const { run } = await world(t);
  const ome = (pixels: string) =>
    `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="${side}" SizeY="${side}" SizeZ="1" SizeC="1" SizeT="1" ${pixels}><Channel ID="Channel:0"/><TiffData/></Pixels></Image></OME>`;
  const labels = [{ ...page, pixels: squares(new Uint16Array(px), 1, 2) }];
  const bright = { ...page, pixels: new Uint16Array(px).fill(4_095) };
  const flat = tiffOf([bright], ome(`PhysicalSizeX="0.2" PhysicalSizeY="0.4" SignificantBits="12"`));
  const { rows, written } = await run(flat, labels);
  assert.deepEqual(
    ["area_um2", "crop_um_per_px", "saturated_fraction"].map((name) => rows[0]?.get(name)),
    ["", "", "1"],
  );
  assert.match(String(written.get("records/00000.json")), /0\.2 × 0\.4 µm/);
  const { error } = await run(flat, labels, { cropSizePx: 0, scale: { cropSizeUm: 3 } });
  assert.match(String(error), /no-pixel-size/);
  const square = await run(tiffOf([bright], ome(`PhysicalSizeX="0.2" PhysicalSizeY="0.2"`)), labels);
  assert.deepEqual(
    ["area_um2", "crop_um_per_px", "saturated_fraction"].map((name) => square.rows[0]?.get(name)),
    ["4", "0.2", "0"],
  );
});
