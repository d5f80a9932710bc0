import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { ItemState } from "@cytomesh/contracts/jobs/v1/job";
import { type ObjectStore, ObjectStoreError } from "@cytomesh/object-store";
import { filterInstances, segmentClassical } from "@cytomesh/segmentation";
import { noise } from "@cytomesh/segmentation/testing";
import { convertFieldsHandler } from "./services/convert/convert-job.ts";
import { crop, cropWindow } from "./services/convert/crop.ts";
import { fieldOf, fieldsWorld, height, nuclei, pixelsOf, type Result, width } from "./testing/fields.ts";
import { attempt, type JobItems } from "./testing/run-job.ts";
import { tiffOf } from "./testing/tiff.ts";
import { digestOf } from "./testing/world.ts";

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

test("fields become crops, a table, a contact sheet and a manifest whose hashes hold", async (t) => {
  const { convert, store, files, good, spec, tempDir } = await fieldsWorld(t);
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
  const { convert, store, bad, files, write } = await fieldsWorld(t);
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
  const { convert, store, good } = await fieldsWorld(t);
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
  const calm = await fieldsWorld(t);
  await calm.convert(dying(calm.store, Number.POSITIVE_INFINITY), { uris: calm.good.slice(0, 1), outputs });
  const steps = calls;
  const same = await fieldsWorld(t);
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
  const { convert: run, store, files, dir, write } = await fieldsWorld(t);
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
  const { convert, store, files, write, good } = await fieldsWorld(t);
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

test("a file that was cut off is refused, not converted as the planes that are left", async (t) => {
  const { convert, store, write, files } = await fieldsWorld(t);
  const whole = fieldOf(0);
  const cut = await write("cut.ome.tif", whole.slice(0, whole.length - 6));
  await assert.rejects(convert(store, { uris: [cut], nucleusChannel: 0, outputs: { channelPng: true } }), {
    message: /expected the whole file, found that the chain of directories breaks off/,
  });
  assert.match(String((await files()).get("errors.csv")), /cut\.ome\.tif,truncated,/);
});

test("a stack of 2,000 planes is projected", async (t) => {
  const { store, write, files, depsOf, outputUri } = await fieldsWorld(t);
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
