import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { CropMasking } from "@cytomesh/contracts/jobs/v1/imaging";
import { openH5 } from "@cytomesh/hdf5";
import { openImage, openImageBytes } from "@cytomesh/microscopy";
import { toUri } from "@cytomesh/object-store";
import { discField, noise } from "@cytomesh/segmentation/testing";
import { convertFieldsHandler } from "./services/convert/convert-job.ts";
import { fieldsWorld, height, pixelsOf, width } from "./testing/fields.ts";
import { attempt } from "./testing/run-job.ts";
import { tiffOf } from "./testing/tiff.ts";

test("masks, neighbours removed, mask files, path list and archive", async (t) => {
  const { store, write, files, depsOf, outputUri } = await fieldsWorld(t);
  const side = 60;
  const labels = new Uint16Array(side * side);
  for (let y = 20; y < 40; y++) for (let x = 20; x < 30; x++) labels[y * side + x] = 1;
  for (let y = 20; y < 40; y++) for (let x = 34; x < 44; x++) labels[y * side + x] = 2;
  const page = { width: side, height: side };
  const pixels = new Uint16Array(side * side).fill(500);
  const uri = await write(
    "m.tif",
    tiffOf([
      { ...page, pixels },
      { ...page, pixels },
    ]),
  );
  await write("m_labels.tif", tiffOf([{ ...page, pixels: labels }]));
  const run = async (name: string, outputs: object) => {
    await attempt(convertFieldsHandler(depsOf(store)), {
      uris: [uri],
      outputUri: `${outputUri}-${name}`,
      cropSizePx: 40,
      segmentation: { labelsUriPattern: "{dir}/{stem}_labels.tif" },
      outputs: outputs as never,
    });
    return files(`out-${name}`);
  };
  const only = (written: ReadonlyMap<string, Uint8Array>, end: string) =>
    written.get([...written.keys()].find((name) => name.endsWith(end)) ?? "")!;
  const count = async (bytes: Uint8Array) =>
    [...(await pixelsOf(bytes)).data].filter((value) => value > 0).length;
  const nucleus = await run("n", {
    channelPng: true,
    masking: CropMasking.NUCLEUS,
    maskDilationPx: 3,
    maskPng: true,
    pathList: true,
  });
  assert.equal(await count(only(nucleus, "_1_c0.png")), 26 * 16);
  assert.equal(await count(only(nucleus, "_1_mask.png")), 200);
  assert.match(
    String(nucleus.get("path_list.csv")),
    /^r_image,y_image,b_image,g_image,output_prefix\n,,crops\/m-[0-9a-f]{8}_1_c0\.png,crops\/m-[0-9a-f]{8}_1_c1\.png,m-[0-9a-f]{8}_1\n/,
  );
  const removed = await run("r", {
    channelPng: true,
    masking: CropMasking.NEIGHBOURS_REMOVED,
    maskDilationPx: 6,
  });
  // The neighbour, grown by 6, reaches 2 columns into the nucleus, which stays whole.
  assert.equal(await count(only(removed, "_1_c0.png")), 1600 - 32 * 16 + 20 * 2);
  const row = String(removed.get("crops.csv")).split("\n")[1]!.split(",");
  assert.deepEqual([row[17], row[19]], ["1", "neighbours"]);
  const archived = await run("a", { archive: true, combinedPng: true });
  assert.deepEqual(
    [...archived.keys()].filter((name) => name.startsWith("crops/")),
    ["crops/00000.tar"],
  );
});

test("an OME-TIFF per crop has all channels, their names and the pixel size", async (t) => {
  const { convert, store, files } = await fieldsWorld(t);
  const scale = { sourceUmPerPx: 0.25 };
  await convert(store, { outputs: { omeTiff: true }, channelNames: ["noise", "nucleus"], scale });
  const written = await files();
  const name = [...written.keys()].find((one) => one.endsWith("_1.ome.tif")) ?? "";
  await using image = await openImageBytes(Uint8Array.from(written.get(name)!), name);
  const [series] = image.info.series;
  assert.deepEqual(
    [series?.sizes.c, series?.channels.map((one) => one.name), series?.pixelSizeUm?.x],
    [2, ["noise", "nucleus"], 0.25],
  );
  assert.equal([...written.keys()].filter((one) => one.startsWith("crops/")).length, 3);
});

test("an OME-Zarr image per crop, as objects and in an archive", async (t) => {
  const { convert, store, files, dir, spec } = await fieldsWorld(t);
  await convert(store, { outputs: { omeZarr: true }, channelNames: ["noise", "nucleus"] });
  const name = [...(await files()).keys()].find((one) => one.endsWith("_1.ome.zarr/zarr.json")) ?? "";
  const uri = toUri(join(dir, "out", name.slice(0, -"/zarr.json".length)));
  assert.ok(name.startsWith("crops/"), name);
  await using image = await openImage(uri, { store });
  assert.deepEqual(
    image.info.series[0]?.channels.map((one) => one.name),
    ["noise", "nucleus"],
  );
  const outputs = { omeZarr: true, archive: true };
  await convert(store, { outputUri: `${spec.outputUri}-1`, outputs });
  await convert(store, { outputUri: `${spec.outputUri}-2`, outputs });
  const [one, two] = [await files("out-1"), await files("out-2")];
  assert.deepEqual(one.get("crops/00000.tar"), two.get("crops/00000.tar"));
});

test("a .h5sc holds masks and channels of every cell, 0 to 1", async (t) => {
  const { convert, store, dir, files } = await fieldsWorld(t);
  await convert(store, { shards: 1, outputs: { h5sc: true }, channelNames: ["noise", "nucleus"] });
  assert.ok((await files()).has("crops/00000.h5sc"));
  const file = await openH5(join(dir, "out", "crops", "00000.h5sc"));
  try {
    const info = file.dataset("/obsm/single_cell_images");
    assert.deepEqual(info.shape, [3, 3, 64, 64]);
    const values = file.read(info) as Float32Array;
    const mask = values.subarray(0, 64 * 64);
    assert.deepEqual(new Set(mask), new Set([0, 1]));
    const channel = values.subarray(2 * 64 * 64, 3 * 64 * 64);
    assert.deepEqual([Math.min(...channel), Math.max(...channel)], [0, 1]);
    assert.deepEqual(file.read(file.dataset("/var/channels")), ["seg_all_nucleus", "noise", "nucleus"]);
    assert.deepEqual(file.read(file.dataset("/obs/label")), BigInt64Array.of(1n, 2n, 1n));
    assert.deepEqual(file.read(file.dataset("/obs/scportrait_cell_id")), BigUint64Array.of(1n, 2n, 3n));
  } finally {
    file.close();
  }
});

test("a shard without a nucleus has no .h5sc, and no failure", async (t) => {
  const { convert, store, write, files } = await fieldsWorld(t);
  const plane = { width, height, pixels: noise(width * height, 3) };
  const empty = await write(
    "empty.ome.tif",
    tiffOf([plane, { width, height, pixels: discField(width, height, []) }]),
  );
  const result = await convert(store, {
    uris: [empty],
    outputs: { h5sc: true, archive: true },
    minAreaPx: 5_000,
  });
  assert.deepEqual([result.crops, result.failedFields], [0n, 0]);
  assert.equal([...(await files()).keys()].filter((name) => name.endsWith(".h5sc")).length, 0);
});
