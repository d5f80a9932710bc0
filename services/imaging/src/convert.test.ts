import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ItemState } from "@cytomesh/contracts/jobs/v1/job";
import { createObjectStore, toUri } from "@cytomesh/object-store";
import { filterInstances, segmentClassical } from "@cytomesh/segmentation";
import { createTaskPool } from "@cytomesh/service-kit";
import { convertFieldsHandler } from "./services/convert-job.ts";
import { cropWindow } from "./services/crop.ts";
import type { ImagingDeps } from "./services/deps.ts";
import { inspectField } from "./services/inspect-field.ts";
import { openField } from "./services/read-field.ts";
import { discField, noise } from "./testing/fields.ts";
import { attempt, type JobItems } from "./testing/run-job.ts";
import { tiffOf } from "./testing/tiff.ts";

const width = 140;
const height = 90;
const discs = [
  { y: 30, x: 30, radius: 12 },
  { y: 55, x: 90, radius: 14 },
];
const nuclei = [discField(width, height, discs), discField(width, height, discs.slice(1), 2)];
const signal = new AbortController().signal;

async function world(t: TestContext, threads = 2) {
  const dir = await mkdtemp(join(tmpdir(), "imaging-"));
  const pool = createTaskPool(new URL("./services/tasks.ts", import.meta.url), { threads });
  const store = createObjectStore({});
  t.after(async () => {
    await pool.close();
    await store.close();
    await rm(dir, { recursive: true, force: true });
  });
  const write = async (name: string, bytes: Uint8Array) => {
    await writeFile(join(dir, name), bytes);
    return toUri(join(dir, name));
  };
  const good = await Promise.all(
    nuclei.map((pixels, i) =>
      write(
        `plate, well ${i}.ome.tif`,
        tiffOf([
          { width, height, pixels: noise(width * height, 11 + i) },
          { width, height, pixels },
        ]),
      ),
    ),
  );
  const bad = await write("bad.tif", Buffer.from("no image at all"));
  const limits = { maxPixels: 1_000_000, maxChannels: 8, timeoutMs: 10_000 };
  const tempDir = join(dir, "tmp");
  await mkdir(tempDir);
  const deps: ImagingDeps = { store, tempDir, pool, limits };
  const out = join(dir, "out");
  const spec = { uris: good, outputUri: toUri(out), nucleusChannel: 1, cropSizePx: 64 };
  const read = async () => {
    const names = await readdir(out, { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    return new Map(
      await Promise.all(
        files.map(async (path) => [path.slice(out.length + 1), await readFile(path)] as const),
      ),
    );
  };
  return { dir, deps, good, bad, spec, out, read, write, tempDir, handler: convertFieldsHandler(deps) };
}

test("fields become crops, a table and a manifest whose hashes hold", async (t) => {
  const { handler, spec, read, deps, good, tempDir, out } = await world(t);
  const items: JobItems = new Map();
  const result = await attempt(handler, spec, items);
  assert.deepEqual(result, { tableUri: `${spec.outputUri}/crops.csv`, crops: 3n, failedFields: 0 });
  assert.deepEqual(
    [...items.values()].map((item) => item.state),
    [ItemState.SUCCEEDED, ItemState.SUCCEEDED],
  );
  const files = await read();
  const manifest = JSON.parse(String(files.get("manifest.json")));
  const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
  assert.equal(manifest.table.sha256, sha256(files.get("crops.csv")!));
  assert.equal(manifest.crops, 3);
  for (const record of manifest.fields) {
    assert.equal(record.tableSha256, sha256(files.get(`fields/${record.field}.csv`)!));
    const lines = [0, 1].flatMap((channel) =>
      Array.from({ length: record.crops }, (_, i) => {
        const file = `crops/${record.field}_${i + 1}_c${channel}.png`;
        return `${sha256(files.get(file)!)}  ${file}\n`;
      }),
    );
    assert.equal(record.cropsSha256, sha256(lines.join("")));
  }
  assert.equal([...files.keys()].filter((name) => name.endsWith(".png")).length, 6);
  assert.deepEqual(await readdir(tempDir), [], "no temporary file is left");

  // Every pixel of every crop, against the field it was cut from.
  const { instances: expected } = filterInstances(
    await segmentClassical(nuclei[0]!, width, height, { fillHolesBelowPx: 100 }),
    { minAreaPx: 100, clearBorder: true },
  );
  const planes = [noise(width * height, 11), nuclei[0]!];
  for (const nucleus of expected)
    for (const [channel, plane] of planes.entries()) {
      const file = join(out, `crops/${manifest.fields[0].field}_${nucleus.label}_c${channel}.png`);
      const png = await openField({ path: file, name: file, limits: deps.limits });
      const { top, left } = cropWindow(nucleus, 64, width, height);
      const want = Uint16Array.from({ length: 64 * 64 }, (_, i) => {
        const [y, x] = [top + Math.floor(i / 64), left + (i % 64)];
        return y < 0 || x < 0 || y >= height || x >= width ? 0 : plane[y * width + x]!;
      });
      assert.deepEqual(await png.channel(0), want);
    }
  const [header, first] = String(files.get("crops.csv")).split("\n");
  assert.equal(
    header,
    "field_uri,field,label,centroid_y,centroid_x,area_px,bbox_min_y,bbox_min_x,bbox_max_y,bbox_max_x,padded,channels,segmentation",
  );
  const one = expected[0]!;
  assert.equal(
    first,
    `"${good[0]}",${manifest.fields[0].field},1,${one.centroidY},${one.centroidX},${one.areaPx},${one.minY},${one.minX},${one.maxY},${one.maxX},1,2,classical`,
  );
});

test("one bad file fails the job by name, and the crops of the others stay", async (t) => {
  const { handler, spec, bad, good, read, write } = await world(t);
  const items: JobItems = new Map();
  const mixed = { ...spec, uris: [good[0]!, bad, good[1]!] };
  await assert.rejects(
    attempt(handler, mixed, items),
    (error: Error & { tag: string; partialResult: object }) => {
      assert.equal(error.tag, "fields-failed");
      assert.match(error.message, /^1 of 3 field\(s\) failed: .*bad\.tif: expected a TIFF, PNG or JPEG/);
      assert.deepEqual(error.partialResult, {
        tableUri: `${spec.outputUri}/crops.csv`,
        crops: 3n,
        failedFields: 1,
      });
      return true;
    },
  );
  assert.equal(items.get(bad)?.state, ItemState.FAILED);
  const files = await read();
  assert.equal(String(files.get("crops.csv")).trim().split("\n").length, 4);
  assert.equal(files.has("manifest.json"), false, "an incomplete conversion does not look complete");
  // The same request completes the folder once the file is mended.
  await write("bad.tif", tiffOf([0, 1].map((i) => ({ width, height, pixels: nuclei[i]! }))));
  assert.deepEqual(await attempt(handler, mixed), {
    tableUri: `${spec.outputUri}/crops.csv`,
    crops: 4n,
    failedFields: 0,
  });
  assert.ok((await read()).has("manifest.json"));
});

test("another attempt goes on from the items recorded, and gives the same bytes", async (t) => {
  const { handler, spec, read, out } = await world(t, 1);
  const whole = await attempt(handler, spec).then(read);
  await rm(out, { recursive: true });
  const items: JobItems = new Map();
  const stop = new AbortController();
  await assert.rejects(
    attempt(handler, spec, items, {
      signal: stop.signal,
      onRecord: (_, outcome) => outcome === "succeeded" && stop.abort(new Error("shutdown")),
    }),
    /shutdown/,
  );
  const done = [...items.values()]
    .filter((item) => item.state === ItemState.SUCCEEDED)
    .map((item) => item.key);
  assert.equal(done.length, 1);
  assert.equal((await read()).has("manifest.json"), false);
  const again: string[] = [];
  await attempt(handler, spec, items, {
    onRecord: (key, outcome) => outcome === "running" && again.push(key),
  });
  assert.deepEqual(
    again.filter((key) => done.includes(key)),
    [],
    "recorded fields are not converted again",
  );
  assert.deepEqual(await read(), whole);
});

test("a table that was lost is made again", async (t) => {
  const { handler, spec, read, out } = await world(t);
  const items: JobItems = new Map();
  const whole = await attempt(handler, spec, items).then(read);
  await rm(join(out, "manifest.json"));
  await rm(join(out, "fields"), { recursive: true });
  await attempt(handler, spec, items);
  assert.deepEqual(await read(), whole);
});

test("a complete folder is left alone: the same request is a no-op, another one is refused", async (t) => {
  const { handler, spec, read, write, good } = await world(t);
  const result = await attempt(handler, spec);
  const whole = await read();
  assert.deepEqual(await attempt(handler, spec), result);
  await assert.rejects(attempt(handler, { ...spec, cropSizePx: 32 }), { tag: "output-conflict" });
  await assert.rejects(attempt(handler, { ...spec, uris: good.slice(0, 1) }), { tag: "output-conflict" });
  await write("plate, well 0.ome.tif", tiffOf([0, 1].map(() => ({ width, height, pixels: nuclei[1]! }))));
  await assert.rejects(attempt(handler, spec), /another content of .*choose another output_uri/);
  assert.deepEqual(await read(), whole);
});

test("a field without nuclei and one without the channel", async (t) => {
  const { handler, spec, write } = await world(t);
  const page = { width, height, pixels: new Uint16Array(width * height).fill(5) };
  const empty = await write("empty.tif", tiffOf([page, page]));
  const outputUri = `${spec.outputUri}-empty`;
  assert.deepEqual(await attempt(handler, { ...spec, outputUri, uris: [empty] }), {
    tableUri: `${outputUri}/crops.csv`,
    crops: 0n,
    failedFields: 0,
  });
  await assert.rejects(
    attempt(handler, { ...spec, outputUri: `${outputUri}-2`, uris: [empty], nucleusChannel: 2 }),
    /channel 2 is asked for, but the file has 2/,
  );
});

test("a missing file is one failed field, not a failed attempt", async (t) => {
  const { handler, spec, good } = await world(t);
  const uris = [good[0]!, `${good[0]}.gone`];
  await assert.rejects(attempt(handler, { ...spec, uris }), {
    tag: "fields-failed",
    message: /1 of 2 .*\.gone/,
  });
});

test("InspectField describes a file and refuses what is not an image", async (t) => {
  const { deps, good, bad } = await world(t);
  assert.deepEqual(await inspectField(deps, good[0]!, signal), {
    width,
    height,
    pages: 2,
    samples: 1,
    pixelType: "uint16",
    format: "tiff",
  });
  await assert.rejects(inspectField(deps, bad, signal), {
    tag: "unreadable-image",
    grpcCode: "invalid_argument",
  });
  await assert.rejects(inspectField(deps, `${bad}.gone`, signal), { grpcCode: "not_found" });
});
