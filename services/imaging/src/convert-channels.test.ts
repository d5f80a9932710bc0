import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { encodeOmeTiff, encodePng, type Plane } from "@cytomesh/microscopy";
import { discField, noise } from "@cytomesh/segmentation/testing";
import { convertFieldsHandler } from "./services/convert/convert-job.ts";
import { openJoined } from "./services/convert/open-joined.ts";
import { fieldAround } from "./services/inputs/fields.ts";
import { inspectField } from "./services/inspect-field.ts";
import { attempt } from "./testing/run-job.ts";
import { tiffOf } from "./testing/tiff.ts";
import { imagingWorld } from "./testing/world.ts";

// Fields whose channels lie in one file each.
const [width, height] = [140, 90];
const discs = [
  { y: 30, x: 30, radius: 12 },
  { y: 55, x: 90, radius: 14 },
];
const colours = ["blue", "green", "red", "yellow"] as const;
const hash = /-[0-9a-f]{8}(?=_)/g;
const signal = new AbortController().signal;

const planeOf = (data: Uint16Array<ArrayBuffer>): Plane => ({
  width,
  height,
  samples: 1,
  pixelType: "uint16",
  data,
});
const pixelsOf = (field: number, channel: number) =>
  Uint16Array.from(
    channel === 0 ? discField(width, height, discs, field + 1) : noise(width * height, 10 * field + channel),
  );
const tiffGzOf = (field: number, channel: number) =>
  gzipSync(tiffOf([{ width, height, pixels: pixelsOf(field, channel) }]));
const pngOf = (field: number, channel: number) => encodePng(planeOf(pixelsOf(field, channel)));

type Result = { crops: bigint; failedFields: number; leftOutFiles: bigint };

async function world(t: TestContext) {
  const it = await imagingWorld(t);
  const write = async (field: string, number: number, channels: readonly string[] = colours) => {
    for (const name of channels)
      await it.write(`plate/${field}_${name}.png`, pngOf(number, colours.indexOf(name as "blue")));
  };
  const spec = {
    listing: { prefixUri: `file://${it.dir}/plate/` },
    outputUri: it.outputUri,
    channelPattern: "hpa",
    cropSizePx: 64,
  };
  const convert = (more: object = {}) =>
    attempt(convertFieldsHandler(it.deps), { ...spec, ...more }) as Promise<Result>;
  const table = async (name: string, folder = "out") =>
    String((await it.files(folder)).get(name))
      .trimEnd()
      .split("\n");
  return { ...it, writeField: write, spec, convert, table };
}

test("files of one channel each give the crops of the same pixels in one OME-TIFF, byte for byte", async (t) => {
  const { dir, write, writeField, convert, files, table } = await world(t);
  await writeField("1.5_A1", 0, ["blue", "green", "yellow"]);
  await write("plate/1.5_A1_red.tif.gz", tiffGzOf(0, 2));
  await write("plate/notes.png", pngOf(0, 0));
  await write("plate/1.5_A1_blue_red_green.jpg", "a picture of all");
  const one = await Array.fromAsync(
    encodeOmeTiff({
      pixelType: "uint16",
      sizes: { t: 1, c: 4, z: 1, y: height, x: width },
      channels: colours.map((name) => ({ name })),
      plane: ({ c }) => planeOf(pixelsOf(0, c)),
    }),
  );
  const uri = await write("1.5_A1.ome.tif", Buffer.concat(one));
  const outputs = { channelPng: true, combinedPng: true, maskPng: true, omeTiff: true, h5sc: true };
  const joined = await convert({ outputs });
  await convert({
    outputs,
    listing: undefined,
    uris: [uri],
    channelPattern: "",
    outputUri: `file://${dir}/single`,
  });
  assert.deepEqual([joined.crops, joined.failedFields, joined.leftOutFiles], [2n, 0, 2n]);
  const crops = async (folder: string) =>
    [...(await files(folder))]
      .filter(([name]) => /^crops\/1\.5_A1-[0-9a-f]{8}_/.test(name))
      // OME-TIFF says the name of the crop, which ends in a hash of where the field is.
      .map(([name, bytes]) => [name.replace(hash, "-"), bytes.toString("latin1").replaceAll(hash, "-")]);
  const found = await crops("out");
  assert.equal(found.length, 2 * (4 + 1 + 1 + 1));
  assert.deepEqual(found, await crops("single"));

  // Every file of the field is in the tables with what it hashes to, and their sum in the record.
  const sources = (await table("sources.csv")).map((line) => line.split(","));
  assert.deepEqual(sources[0], ["field_uri", "channel", "z", "uri", "sha256"]);
  assert.deepEqual(
    sources.slice(1).map(([field, channel, z, file]) => [field, channel, z, file]),
    colours.map((name) => [
      `file://${dir}/plate/1.5_A1`,
      name,
      "0",
      `file://${dir}/plate/1.5_A1_${name}${name === "red" ? ".tif.gz" : ".png"}`,
    ]),
  );
  const written = await files();
  const record = JSON.parse(String(written.get("records/00000.json"))).fields[0];
  assert.deepEqual(record.channelNames, colours);
  assert.deepEqual(
    record.sources.map((source: { sha256: string }) => source.sha256),
    sources.slice(1).map((line) => line[4]),
  );
  const manifest = JSON.parse(String(written.get("manifest.json")));
  assert.ok(manifest.tables.some((one: { file: string }) => one.file === "sources.csv"));
  assert.ok(written.has("contact/index.html"));
  assert.ok(!(await files("single")).has("sources.csv"), "a field of one file is as it was");
});

test("a field that lacks a channel, has one twice, or differs fails alone, and the same request completes what was mended", async (t) => {
  const { dir, write, writeField, convert, table, files } = await world(t);
  for (const [i, name] of ["a", "b", "c", "d"].entries()) await writeField(name, i);
  await rm(join(dir, "plate/b_yellow.png"));
  await write("plate/c_red.tif", tiffOf([{ width, height, pixels: pixelsOf(2, 2) }]));
  await write("plate/d_green.png", encodePng({ ...planeOf(pixelsOf(3, 1)), width: height, height: width }));
  await assert.rejects(convert(), /3 of 4 field\(s\) failed/);
  const errors = await table("errors.csv");
  assert.deepEqual(
    errors.slice(1).map((line) => line.split(",").slice(0, 2)),
    [
      [`file://${dir}/plate/b`, "incomplete-field"],
      [`file://${dir}/plate/c`, "ambiguous-field"],
      [`file://${dir}/plate/d`, "channels-differ"],
    ],
  );
  assert.match(errors[1]!, /expected a file of the channel yellow, file:.*b_yellow\.png, .*found none/);
  assert.match(errors[2]!, /one file of the channel red, found .*c_red\.png and .*c_red\.tif/);
  assert.match(errors[3]!, /found 90 × 140 of uint16 in .*d_blue\.png, 140 × 90 of uint16 in .*d_green\.png/);
  assert.ok(!(await files()).has("manifest.json"));

  await writeField("b", 1, ["yellow"]);
  await writeField("d", 3, ["green"]);
  await assert.rejects(convert(), /1 of 4 field\(s\) failed/);
  assert.equal((await table("errors.csv")).length, 2);
  assert.equal((await table("sources.csv")).length, 1 + 3 * 4);
});

test("another type of pixels, or several planes in one file, is no channel of the field", async (t) => {
  const { write, writeField, convert, table } = await world(t);
  await writeField("a", 0, ["blue", "green"]);
  await write(
    "plate/a_red.png",
    encodePng({ width, height, samples: 1, pixelType: "uint8", data: new Uint8Array(width * height) }),
  );
  await writeField("b", 0, ["blue", "green"]);
  await write(
    "plate/b_red.png",
    encodePng({ width, height, samples: 3, pixelType: "uint16", data: new Uint16Array(3 * width * height) }),
  );
  await assert.rejects(convert());
  const [, a, b] = await table("errors.csv");
  assert.match(a!, /channels-differ.*uint16 in .*uint8 in /);
  assert.match(b!, /channels-differ.*expected one channel in .*b_red\.png, found .* 3 sample\(s\)/);
});

test("a change of any file of a field is noticed when the request comes again", async (t) => {
  for (const name of ["blue", "yellow"]) {
    const { write, writeField, convert } = await world(t);
    await writeField("a", 0);
    await convert();
    await convert();
    await write(`plate/a_${name}.png`, pngOf(7, 1));
    await assert.rejects(convert(), new RegExp(`another content of file:.*a_${name}\\.png`));
  }
});

test("a sample is of fields, the rest of an interrupted job works on the same files, and a folder goes on whatever came into it", async (t) => {
  const { dir, writeField, convert, table, files } = await world(t);
  for (let i = 0; i < 7; i++)
    await writeField(`f${i}`, i, i === 3 ? ["blue", "green", "red", "yellow"] : ["blue", "green"]);
  const listing = { prefixUri: `file://${dir}/plate/`, sample: 2 };
  // The sample shows f0 and f3, and what f0 lacks.
  await assert.rejects(convert({ listing }), /incomplete-field|channel red/);
  const lines = await table("inputs.txt");
  assert.deepEqual(JSON.parse(lines[0]!.slice(2)), { channels: [...colours], leftOut: 0, leftOutNames: [] });
  assert.deepEqual(
    lines.slice(1).map((uri) => uri.slice(uri.lastIndexOf("/") + 1)),
    ["f0_blue.png", "f0_green.png", ...colours.map((name) => `f3_${name}.png`)],
  );
  await writeField("aaa", 9);
  await writeField("f0", 0, ["red", "yellow"]);
  const result = await convert({ listing });
  assert.deepEqual([result.crops, result.failedFields], [4n, 0]);
  const records = JSON.parse(String((await files()).get("records/00000.json")));
  assert.equal(records.fields[0].uri, `file://${dir}/plate/f0`);
});

test("channel_names order and choose channels by the names of files, or name them anew", async (t) => {
  const { dir, writeField, convert, files } = await world(t);
  await writeField("a", 0);
  const namesIn = async (folder: string) =>
    JSON.parse(String((await files(folder)).get("records/00000.json"))).fields[0].channelNames;
  const to = (folder: string) => ({ outputUri: `file://${dir}/${folder}` });
  const two = await convert({ ...to("two"), channelNames: ["red", "blue"], nucleusChannel: 1 });
  assert.deepEqual(await namesIn("two"), ["red", "blue"]);
  assert.deepEqual([two.crops, two.leftOutFiles], [2n, 2n]);
  await convert({ ...to("anew"), channelNames: ["nucleus", "protein", "tubulin", "er"] });
  assert.deepEqual(await namesIn("anew"), ["nucleus", "protein", "tubulin", "er"]);
  await assert.rejects(
    convert({ ...to("x"), channelNames: ["blue", "mito"] }),
    /bad-options|found both: blue, mito/,
  );
  await assert.rejects(
    convert({ ...to("y"), channelNames: ["nucleus"] }),
    /a name for each of the 4 channels/,
  );
});

test("planes of a stack in one file each are projected as those of one file are", async (t) => {
  const { dir, write, convert, files } = await world(t);
  const depth = (c: number, z: number) => pixelsOf(z, c);
  for (let z = 0; z < 3; z++)
    for (let c = 0; c < 2; c++)
      await write(
        `opera/r01c01f01p${String(z + 1).padStart(2, "0")}-ch${c + 1}sk1fk1fl1.tiff`,
        tiffOf([{ width, height, pixels: depth(c, z) }]),
      );
  const one = await Array.fromAsync(
    encodeOmeTiff({
      pixelType: "uint16",
      sizes: { t: 1, c: 2, z: 3, y: height, x: width },
      plane: ({ c, z }) => planeOf(depth(c, z)),
    }),
  );
  const uri = await write("one.ome.tif", Buffer.concat(one));
  await convert({ listing: { prefixUri: `file://${dir}/opera/` }, channelPattern: "opera" });
  await convert({ listing: undefined, uris: [uri], channelPattern: "", outputUri: `file://${dir}/single` });
  const crops = async (folder: string) =>
    [...(await files(folder))]
      .filter(([name]) => name.startsWith("crops/"))
      .map(([name, bytes]) => [name.replace(/^.*-[0-9a-f]{8}_/, ""), bytes.toString("base64")]);
  assert.ok((await crops("out")).length > 0);
  assert.deepEqual(await crops("out"), await crops("single"));

  await rm(join(dir, "opera/r01c01f01p02-ch1sk1fk1fl1.tiff"));
  await rm(join(dir, "opera/r01c01f01p02-ch2sk1fk1fl1.tiff"));
  await assert.rejects(
    convert({
      listing: { prefixUri: `file://${dir}/opera/` },
      channelPattern: "opera",
      outputUri: `file://${dir}/gap`,
    }),
    /expected files of the planes 1 to 3, found those of 2 of 3/,
  );
});

test("a pattern that fits nothing, is none, or would take for ever is refused with what was found", async (t) => {
  const { writeField, write, convert, files } = await world(t);
  await writeField("a", 0, ["blue"]);
  const refused = (channelPattern: string, why: RegExp) => assert.rejects(convert({ channelPattern }), why);
  await refused(
    "metamorph",
    /nothing-found|expected names of files that fit "metamorph", found 1 file\(s\) of others, as a_blue\.png/,
  );
  await refused(
    "hpb",
    /expected hpa, metamorph, opera or a regular expression .*found none of the name channel/,
  );
  await refused("constructor", /found none of the name channel/);
  await refused("(?<channel>", /Invalid regular expression/);
  await refused("(?<channel>.)(?<z>.)", /no group that tells fields apart/);
  await refused(`(?<field>.+)(?<channel>${"x".repeat(1_100)})`, /at most 1024 characters/);
  await refused("(?<field>.+)_(?<channel>b)(?<z>lue).png", /expected digits in the group z, found "lue"/);
  await write(`plate/${"a".repeat(120)}!`, "");
  await refused("(?<field>(?:a+)+)_(?<channel>.)", /found one that takes longer/);
  // Nothing was claimed: the next try may go to the same folder.
  assert.equal((await files()).size, 0);
  assert.equal((await convert()).leftOutFiles, 1n);
});

test("files of a field that do not fit in memory are opened again, and a change between is noticed", async (t) => {
  const { dir, store, deps, writeField, write } = await world(t);
  await writeField("a", 0);
  const source = await fieldAround(store, `file://${dir}/plate/a_red.png`, "hpa", 8, signal);
  await using joined = (await openJoined(store, source, deps.limits, signal, 1)).image;
  for (const c of [3, 0, 0, 2]) assert.deepEqual((await joined.plane({ c })).data, pixelsOf(0, c));
  await write("plate/a_green.png", pngOf(5, 1));
  await assert.rejects(joined.plane({ c: 1 }), { tag: "file-changed" });
});

test("a field is inspected by any of its files", async (t) => {
  const { dir, deps, write, writeField } = await world(t);
  await writeField("a", 0);
  await writeField("ab", 1);
  await write("plate/sub/a_blue.png", pngOf(3, 0));
  const report = await inspectField(deps, `file://${dir}/plate/a_red.png`, "hpa", signal);
  assert.deepEqual(
    [
      report.width,
      report.height,
      report.pages,
      report.format,
      report.series?.[0]?.sizeC,
      report.series?.[0]?.channelNames,
    ],
    [width, height, 4, "png", 4, [...colours]],
  );
  assert.equal((await inspectField(deps, `file://${dir}/plate/a_red.png`, "", signal)).series?.[0]?.sizeC, 1);
  await assert.rejects(
    inspectField(deps, `file://${dir}/plate/a_red.png`, "opera", signal),
    /expected a name that fits "opera"/,
  );
});
