import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ConversionRecipe, CropMasking } from "@cytomesh/contracts/jobs/v1/imaging";
import { ItemState } from "@cytomesh/contracts/jobs/v1/job";
import { ConvertFieldsSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { openH5 } from "@cytomesh/hdf5";
import { openImage, openImageBytes } from "@cytomesh/microscopy";
import { type ObjectStore, ObjectStoreError, toUri } from "@cytomesh/object-store";
import { filterInstances, segmentClassical } from "@cytomesh/segmentation";
import { discField, noise } from "@cytomesh/segmentation/testing";
import { convertOptionsOf } from "./schemas/options.ts";
import { convertFieldsHandler } from "./services/convert/convert-job.ts";
import { crop, cropWindow } from "./services/convert/crop.ts";
import { segmentField } from "./services/convert/segment-field.ts";
import { attempt, type JobItems } from "./testing/run-job.ts";
import { tiffOf } from "./testing/tiff.ts";
import { digestOf, imagingWorld } from "./testing/world.ts";

const width = 140;
const height = 90;
const discs = [
  { y: 30, x: 30, radius: 12 },
  { y: 55, x: 90, radius: 14 },
];
const nuclei = [discField(width, height, discs), discField(width, height, discs.slice(1), 2)];

const fieldOf = (i: number) =>
  tiffOf([
    { width, height, pixels: noise(width * height, 11 + i) },
    { width, height, pixels: nuclei[i % 2] as Uint16Array },
  ]);

type Result = { crops: bigint; failedFields: number; tableUri: string; shards: number; metadataUri: string };

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

async function pixelsOf(bytes: Uint8Array) {
  await using image = await openImageBytes(Uint8Array.from(bytes), "crop");
  return image.plane();
}

async function world(t: Parameters<typeof imagingWorld>[0]) {
  const it = await imagingWorld(t);
  const good = [
    await it.write("plate, well 0.ome.tif", fieldOf(0)),
    await it.write("plate, well 1.ome.tif", fieldOf(1)),
  ];
  const bad = await it.write("bad.tif", "no image at all");
  const spec = { uris: good, outputUri: it.outputUri, nucleusChannel: 1, cropSizePx: 64 };
  const convert = (over: ObjectStore, more: object = {}, items: JobItems = new Map(), o: object = {}) =>
    attempt(convertFieldsHandler(it.depsOf(over)), { ...spec, ...more }, items, o) as Promise<Result>;
  return { ...it, good, bad, spec, convert };
}

test("fields become crops, a table, a contact sheet and a manifest whose hashes hold", async (t) => {
  const { convert, store, files, good, spec, tempDir } = await world(t);
  const items: JobItems = new Map();
  const result = await convert(store, {}, items);
  assert.deepEqual(
    [result.crops, result.failedFields, result.shards, result.tableUri],
    [3n, 0, 2, `${spec.outputUri}/crops.csv`],
  );
  assert.deepEqual(
    [...items].map(([key, item]) => [key, item.state]).sort(),
    good.map((uri) => [uri, ItemState.SUCCEEDED]),
  );
  const written = await files();
  const manifest = JSON.parse(String(written.get("manifest.json")));
  for (const table of manifest.tables)
    assert.equal(table.sha256, sha256(written.get(table.file)!), table.file);
  for (const { record, sha256: hash } of manifest.shards)
    assert.equal(hash, sha256(written.get(`records/${record}`)!));
  const record = JSON.parse(String(written.get("records/00000.json"))).fields[0];
  const crops = [1, 2].flatMap((label) => [0, 1].map((c) => `crops/${record.field}_${label}_c${c}.png`));
  assert.equal(
    record.files.sha256,
    sha256(crops.map((path) => `${sha256(written.get(path)!)}  ${path}\n`).join("")),
  );
  assert.equal([...written.keys()].filter((name) => name.startsWith("crops/")).length, 6);
  assert.ok(written.has("contact/index.html") && written.has("contact/page-1.png"));
  assert.equal(String(written.get("errors.csv")), "uri,reason,message,tries\n");
  assert.deepEqual(await readdir(tempDir), [], "no temporary file is left");

  // Every pixel of every crop, against the field it was cut from.
  const segmented = await segmentClassical(nuclei[0]!, width, height, { fillHolesBelowPx: 100 });
  const { instances } = filterInstances(segmented, { minAreaPx: 100, clearBorder: true });
  assert.equal(instances.length, 2);
  for (const nucleus of instances)
    for (const [c, data] of [noise(width * height, 11), nuclei[0]!].entries()) {
      const png = await pixelsOf(written.get(`crops/${record.field}_${nucleus.label}_c${c}.png`)!);
      assert.equal(png.pixelType, "uint16");
      assert.deepEqual(png.data, crop({ width, height, data }, cropWindow(nucleus, 64)));
    }
  const [header, first] = String(written.get("crops.csv")).split("\n");
  const columns = header!.split(",");
  const row = Object.fromEntries(
    first!
      .replace(`"${good[0]}"`, "uri")
      .split(",")
      .map((value, i) => [columns[i], value]),
  );
  assert.equal(row.padded_fraction, "0.061523", "2 rows and 2 columns of 64 lie outside the field");
  assert.equal(row.flags, "padded");
  assert.deepEqual(
    [row.segmentation, row.label, row.area_px],
    ["classical", "1", String(instances[0]!.areaPx)],
  );
});

test("a bad file among many does not stop its shard: it is in errors.csv, and the same request makes it good", async (t) => {
  const { convert, store, bad, files, write } = await world(t);
  const many = await Promise.all(Array.from({ length: 9 }, (_, i) => write(`f${i}.tif`, fieldOf(i))));
  const uris = [...many.slice(0, 4), bad, ...many.slice(4), `${many[0]}.gone`];
  const items: JobItems = new Map();
  await assert.rejects(
    convert(store, { uris, shards: 2 }, items),
    (error: Error & { tag: string; partialResult: Result }) => {
      assert.equal(error.tag, "fields-failed");
      assert.match(error.message, /^2 of 11 field\(s\) failed: .*bad\.tif/);
      assert.deepEqual([error.partialResult.crops, error.partialResult.failedFields], [14n, 2]);
      return true;
    },
  );
  assert.deepEqual([...items.keys()].sort(), ["shard 00000 (6 files)", "shard 00001 (5 files)"]);
  const written = await files();
  const errors = String(written.get("errors.csv")).trim().split("\n");
  assert.equal(errors.length, 3);
  assert.match(errors[1]!, /bad\.tif,not-an-image,/);
  assert.match(errors[2]!, /f0\.tif\.gone,(object-)?not-found,/);
  assert.equal(String(written.get("crops.csv")).trim().split("\n").length, 15);
  assert.equal(written.has("manifest.json"), false, "an incomplete conversion does not look complete");
  await write("bad.tif", fieldOf(0));
  await write("f0.tif.gone", fieldOf(1));
  const result = await convert(store, { uris, shards: 2 });
  assert.deepEqual([result.crops, result.failedFields], [17n, 0]);
  assert.ok((await files()).has("manifest.json"));
});

test("what may pass is tried again with pauses, what repeats is not", async (t) => {
  const { convert, store, good } = await world(t);
  let failures = 2;
  let reads = 0;
  const flaky = new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (name !== "get") return member;
      return async (uri: string, options: object) => {
        if (uri === good[0] && reads++ < 99 && failures-- > 0)
          throw new ObjectStoreError("store-unavailable", "no network", { uri });
        return target.get(uri, options);
      };
    },
  });
  assert.equal((await convert(flaky)).crops, 3n);
  assert.equal(reads, 3);
  failures = 99;
  await assert.rejects(convert(flaky, { outputUri: `${good[0]}.out`, triesPerField: 3 }), {
    message: /no network/,
  });
});

test("killed at any step, the next attempt ends with the same bytes", async (t) => {
  const outputs = { archive: true, combinedPng: true, pathList: true, h5sc: true };
  let calls = 0;
  const dying = (store: ObjectStore, n: number): ObjectStore =>
    new Proxy(store, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== "function" || name === "localPath" || name === "list") return member;
        return async (...args: unknown[]) => {
          calls += 1;
          const dead = (text: string) => Object.assign(new Error(text), { code: "DEAD" });
          if (calls > n) throw dead("dead");
          const result = await member.apply(target, args);
          if (calls < n) return result;
          if (result instanceof Readable) result.destroy();
          throw dead("killed");
        };
      },
    });
  const calm = await world(t);
  await calm.convert(dying(calm.store, Number.POSITIVE_INFINITY), { uris: calm.good.slice(0, 1), outputs });
  const steps = calls;
  const same = await world(t);
  const spec = { uris: same.good.slice(0, 1), outputs };
  await same.convert(same.store, spec);
  assert.ok(steps > 15, `${steps} steps`);
  // URIs differ between worlds: one world is emptied and used again.
  const whole = digestOf(await same.files());
  for (let n = 0; n <= steps; n++) {
    await rm(join(same.dir, "out"), { recursive: true });
    calls = 0;
    await assert.rejects(same.convert(dying(same.store, n), spec), /dead|killed/, `step ${n}`);
    await same.convert(same.store, spec);
    assert.equal(digestOf(await same.files()), whole, `killed after step ${n} of ${steps}`);
    assert.deepEqual(await readdir(same.tempDir), []);
  }
});

test("an interrupted attempt goes on from the shards that were recorded", async (t) => {
  const { convert: run, store, files, dir, write } = await world(t);
  const uris = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => write(`s${i}.tif`, fieldOf(i))));
  const convert = (over: ObjectStore, more: object = {}, ...rest: [JobItems?, object?]) =>
    run(over, { uris, ...more }, ...rest);
  await convert(store);
  const whole = digestOf(await files());
  await rm(join(dir, "out"), { recursive: true });
  const items: JobItems = new Map();
  const stop = new AbortController();
  await assert.rejects(
    convert(store, {}, items, {
      signal: stop.signal,
      onRecord: (_: string, outcome: string) => outcome === "succeeded" && stop.abort(new Error("shutdown")),
    }),
    /shutdown/,
  );
  const done = [...items.values()]
    .filter((item) => item.state === ItemState.SUCCEEDED)
    .map((item) => item.key);
  assert.ok(done.length >= 1);
  assert.equal((await files()).has("manifest.json"), false);
  const again: string[] = [];
  const told: number[] = [];
  await convert(store, {}, items, {
    onProgress: ({ done }: { done?: number }) => done !== undefined && told.push(done),
    onRecord: (key: string, outcome: string) => outcome === "running" && again.push(key),
  });
  assert.deepEqual(
    again.filter((key) => done.includes(key)),
    [],
    "recorded shards are not converted again",
  );
  assert.equal(told.at(-1), uris.length, "what was done before counts as done");
  assert.equal(digestOf(await files()), whole);
});

test("a complete folder is left alone: the same request is a no-op, another one is refused", async (t) => {
  const { convert, store, files, write, good } = await world(t);
  const result = await convert(store);
  const whole = digestOf(await files());
  assert.deepEqual(await convert(store), result);
  await assert.rejects(convert(store, { cropSizePx: 32 }), {
    tag: "output-conflict",
    message: /cropSets\.0\.size\.px/,
  });
  await assert.rejects(convert(store, { uris: good.slice(0, 1) }), { tag: "output-conflict" });
  await write("plate, well 0.ome.tif", fieldOf(1));
  await assert.rejects(convert(store), /another content of .*choose another output_uri/);
  assert.equal(digestOf(await files()), whole);
});

test("OpenCell: names, layout and metadata.csv as published; labels of the caller; an empty line by option", async (t) => {
  const { store, write, files, depsOf, outputUri } = await world(t);
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
  const { store, write, files, depsOf, outputUri } = await world(t);
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
  const { store, write, depsOf, outputUri, files } = await world(t);
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

test("masks, neighbours removed, mask files, path list and archive", async (t) => {
  const { store, write, files, depsOf, outputUri } = await world(t);
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
  const { convert, store, files } = await world(t);
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
  const { convert, store, files, dir, spec } = await world(t);
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
  const { convert, store, dir, files } = await world(t);
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

test("a file that was cut off is refused, not converted as the planes that are left", async (t) => {
  const { convert, store, write, files } = await world(t);
  const whole = fieldOf(0);
  const cut = await write("cut.ome.tif", whole.slice(0, whole.length - 6));
  await assert.rejects(convert(store, { uris: [cut], nucleusChannel: 0, outputs: { channelPng: true } }), {
    message: /expected the whole file, found that the chain of directories breaks off/,
  });
  assert.match(String((await files()).get("errors.csv")), /cut\.ome\.tif,truncated,/);
});

test("a shard without a nucleus has no .h5sc, and no failure", async (t) => {
  const { convert, store, write, files } = await world(t);
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

test("a stack of 2,000 planes is projected", async (t) => {
  const { store, write, files, depsOf, outputUri } = await world(t);
  const side = 32;
  const pages = Array.from({ length: 2_000 }, (_, z) => {
    const pixels = new Uint16Array(side * side);
    pixels[z % (side * side)] = 1 + z;
    return { width: side, height: side, pixels };
  });
  const description = "ImageJ=1.53\nimages=2000\nslices=2000\n";
  const uri = await write("stack.tif", tiffOf(pages, description));
  const labels = new Uint16Array(side * side);
  for (let y = 8; y < 24; y++) for (let x = 8; x < 24; x++) labels[y * side + x] = 1;
  await write("stack_labels.tif", tiffOf([{ width: side, height: side, pixels: labels }]));
  await attempt(convertFieldsHandler(depsOf(store)), {
    uris: [uri],
    outputUri,
    cropSizePx: 32,
    segmentation: { labelsUriPattern: "{dir}/{stem}_labels.tif" },
  });
  const written = await files();
  const name = [...written.keys()].find((one) => one.endsWith("_1_c0.png"))!;
  const { data } = await pixelsOf(written.get(name)!);
  const expected = Uint16Array.from({ length: side * side }, (_, i) => (i + 1024 < 2_000 ? i + 1025 : i + 1));
  // The centroid (15.5, 15.5) is truncated, so the crop begins a row and a column outside.
  for (const [y, x] of [
    [1, 1],
    [5, 9],
    [31, 31],
  ] as const)
    assert.equal(data[y * 32 + x], expected[(y - 1) * side + x - 1]);
});
