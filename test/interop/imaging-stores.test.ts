import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encodeOmeTiff, openImage, writeOmeZarr } from "@cytomesh/microscopy";
import { joinUri, type ObjectStore, toUri } from "@cytomesh/object-store";
import { discField, noise, uniform } from "@cytomesh/segmentation/testing";
import { createTaskPool } from "@cytomesh/service-kit";
import { gcsTestStore, s3TestStore } from "../../packages/object-store/src/testing/stores.ts";
import { convertFieldsHandler } from "../../services/imaging/src/services/convert/convert-job.ts";
import type { ImagingDeps } from "../../services/imaging/src/services/deps.ts";
import { stageHandler } from "../../services/imaging/src/services/stage/stage-job.ts";
import { attempt } from "../../services/imaging/src/testing/run-job.ts";
import { tiffOf } from "../../services/imaging/src/testing/tiff.ts";
import { imagingWorld } from "../../services/imaging/src/testing/world.ts";

const [width, height] = [140, 90];
const fieldOf = (seed: number) =>
  tiffOf([
    { width, height, pixels: noise(width * height, seed) },
    {
      width,
      height,
      pixels: discField(width, height, [
        { y: 30, x: 30, radius: 12 },
        { y: 55, x: 90, radius: 14 },
      ]),
    },
  ]);

const labels = Uint16Array.from({ length: width * height }, (_, i) => {
  const [y, x] = [Math.floor(i / width), i % width];
  return (y - 30) ** 2 + (x - 30) ** 2 < 144 ? 1 : (y - 55) ** 2 + (x - 90) ** 2 < 196 ? 2 : 0;
});

/** Convert three fields of a place and give back what was written, without what names the place. */
async function convertAt(deps: ImagingDeps, base: string, more: object = {}) {
  const { store } = deps;
  for (let i = 0; i < 3; i++) await store.put(`${base}fields/f${i}.ome.tif`, fieldOf(11 + i));
  const outputUri = `${base}out`;
  const made = (await attempt(convertFieldsHandler(deps), {
    listing: { prefixUri: `${base}fields/`, pattern: "*.ome.tif" },
    outputUri,
    nucleusChannel: 1,
    cropSizePx: 64,
    shards: 2,
    outputs: { channelPng: true, omeTiff: true, omeZarr: true },
    ...more,
  })) as { crops: bigint; contactSheetUri: string };
  assert.match(Buffer.from(await store.get(made.contactSheetUri)).toString(), /^<!doctype html>/);
  const manifest = JSON.parse(Buffer.from(await store.get(`${outputUri}/manifest.json`)).toString());
  return {
    crops: made.crops,
    manifest: manifest.crops,
    objects: await objectsOf(store, `${outputUri}/crops/`),
  };
}

/** Every object below a prefix by its path. Names of crops carry a hash of the field's URI, also in the metadata of OME files: left out. */
async function objectsOf(store: ObjectStore, prefix: string): Promise<Map<string, Buffer>> {
  const objects = new Map<string, Buffer>();
  for await (const { uri } of store.list(prefix)) {
    const text = Buffer.from(await store.get(uri)).toString("latin1");
    const name = uri.slice(prefix.length).replace(hashInName, "_");
    objects.set(name, Buffer.from(text.replaceAll(hashInName, "_"), "latin1"));
  }
  return objects;
}

const hashInName = /-[0-9a-f]{8}_(?=\d)/g;

async function localWorld(t: TestContext) {
  const local = await imagingWorld(t);
  await mkdir(join(local.dir, "disk"));
  return { ...local, disk: toUri(`${join(local.dir, "disk")}/`) };
}

for (const open of [s3TestStore, gcsTestStore])
  test(`fields are read from ${open === s3TestStore ? "S3" : "GCS"} and crops written there, the same bytes as on a disk`, async (t) => {
    const far = await open();
    t.after(far.stop);
    const local = await localWorld(t);
    const there = await convertAt(local.depsOf(far.store), far.base);
    const here = await convertAt(local.deps, local.disk);
    assert.deepEqual([there.crops, there.manifest], [here.crops, here.manifest]);
    assert.ok(
      there.crops > 0n && there.objects.size >= Number(there.crops) * 4,
      `${there.objects.size} files`,
    );
    assert.deepEqual(there.objects, here.objects);
  });

test("threads of the service read labels and an OME-Zarr field from GCS, by their settings alone", async (t) => {
  const gcs = await gcsTestStore();
  t.after(gcs.stop);
  const local = await localWorld(t);
  const pool = createTaskPool(new URL("../../services/imaging/src/services/tasks.ts", import.meta.url), {
    threads: 2,
  });
  t.after(() => pool.close());
  const planes = [noise(width * height, 5), discField(width, height, [{ y: 40, x: 60, radius: 15 }])];
  const convert = async (deps: ImagingDeps, base: string) => {
    const { store } = deps;
    await writeOmeZarr(store, `${base}fields/field.ome.zarr`, {
      pixelType: "uint16",
      sizes: { t: 1, c: 2, z: 1, y: height, x: width },
      plane: ({ c = 0 }) => ({
        width,
        height,
        samples: 1,
        pixelType: "uint16",
        data: Uint16Array.from(planes[c] as Uint16Array),
      }),
    });
    await store.put(`${base}labels/field.tif`, tiffOf([{ width, height, pixels: labels }]));
    return convertAt(deps, base, {
      listing: undefined,
      uris: [`${base}fields/field.ome.zarr`],
      segmentation: { labelsUriPattern: `${base}labels/field.tif` },
      outputs: { channelPng: true, h5sc: true, archive: true, combinedPng: false },
    });
  };
  const storeSettings = { CYTOMESH_DATA_DIR: local.dir, GCS_ENDPOINT: gcs.fake.apiEndpoint };
  const there = await convert({ ...local.depsOf(gcs.store), pool, storeSettings }, gcs.base);
  const here = await convert(local.deps, local.disk);
  assert.equal(there.crops, 2n);
  // Names of fields are in these two, and their addresses differ.
  for (const one of [there, here])
    for (const name of [...one.objects.keys()].filter((name) => /\.(h5sc|tar)$/.test(name))) {
      assert.ok((one.objects.get(name)?.length ?? 0) > 2_000, name);
      one.objects.delete(name);
    }
  assert.deepEqual(there.objects, here.objects);
});

test("a region of an image on GCS is read with a few requests for its bytes", async (t) => {
  const gcs = await gcsTestStore();
  t.after(gcs.stop);
  const side = 1_024;
  const random = uniform(3);
  const data = Uint16Array.from({ length: side * side }, () => Math.floor(random() * 65_536));
  const input = {
    pixelType: "uint16" as const,
    sizes: { t: 1, c: 1, z: 1, y: side, x: side },
    plane: () => ({ width: side, height: side, samples: 1, pixelType: "uint16" as const, data }),
  };
  const uri = `${gcs.base}big.ome.tif`;
  const { size } = await gcs.store.put(
    uri,
    Buffer.concat(await Array.fromAsync(encodeOmeTiff(input, { tileSize: 128 }))),
  );
  await using image = await openImage(uri, { store: gcs.store });
  gcs.fake.requests.length = 0;
  let sent = 0;
  gcs.fake.damage = (bytes) => {
    sent += bytes.length;
    return bytes;
  };
  const plane = await image.plane({ region: { x: 300, y: 700, width: 50, height: 40 } });
  assert.equal(plane.data[51], data[701 * side + 301]);
  assert.ok(gcs.fake.requests.length <= 3, gcs.fake.requests.join("\n"));
  assert.ok(sent < size / 5, `${sent} of ${size} bytes`);
});

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Small files, one without a byte, one with a name that URIs and buckets write differently, and one that is uploaded in parts. */
function filesToStage(): Map<string, Uint8Array> {
  const random = uniform(17);
  const sizes = {
    "a.tif": 1_000,
    "b c+%ä.tif": 70_000,
    "deep/er/empty.tif": 0,
    "deep/large.tif": 17 * 2 ** 20,
  };
  return new Map(
    Object.entries(sizes).map(([name, size]) => [
      name,
      Uint8Array.from({ length: size }, () => random() * 256),
    ]),
  );
}

async function stage(store: ObjectStore, from: string, to: string) {
  return (await attempt<"stage">(stageHandler({ store, firstPauseMs: 1 } as unknown as ImagingDeps), {
    listing: { prefixUri: from },
    outputUri: to,
    shards: 2,
    keepPaths: true,
  })) as { files: bigint; bytes: bigint };
}

/** The lines of `staged.csv`: hash and size by the path of the source. */
async function stagedOf(store: ObjectStore, output: string, prefix: string) {
  const text = Buffer.from(await store.get(joinUri(output, "staged.csv"))).toString();
  const lines = text.trim().split("\n").slice(1);
  return lines.map((line) => {
    const [source, target, bytes, hash] = line.split(",") as [string, string, string, string];
    return { path: source.slice(prefix.length), target, bytes: Number(bytes), hash };
  });
}

test("files are staged from a disk to GCS, from there to S3 and back to the disk, with their hashes", async (t) => {
  const [gcs, s3] = [await gcsTestStore(), await s3TestStore()];
  t.after(gcs.stop);
  t.after(s3.stop);
  const local = await localWorld(t);
  const files = filesToStage();
  for (const [name, bytes] of files) await local.write(join("source", name), Buffer.from(bytes));
  const source = toUri(`${join(local.dir, "source")}/`);
  // One store that knows all three, as a service's does.
  const store = new Proxy(gcs.store, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (uri: string, ...rest: unknown[]) =>
        Reflect.apply(
          Reflect.get(uri.startsWith("s3:") ? s3.store : target, name),
          uri.startsWith("s3:") ? s3.store : target,
          [uri, ...rest],
        );
    },
  });
  const stations = [source, `${gcs.base}staged`, `${s3.base}staged`, `${gcs.base}again`, `${local.disk}back`];
  let from = source;
  for (const to of stations.slice(1)) {
    const made = await stage(store, from, to);
    assert.deepEqual([made.files, made.bytes], [4n, 1_000n + 70_000n + 17n * 2n ** 20n]);
    const staged = await stagedOf(store, to, from);
    for (const { target, bytes, hash } of staged) {
      const stored = await store.get(target);
      assert.deepEqual([stored.length, sha256(stored)], [bytes, hash], target);
    }
    assert.deepEqual(
      staged.map(({ hash }) => hash).sort(),
      [...files.values()].map(sha256).sort(),
      `from ${from} to ${to}`,
    );
    from = `${to}/shards/`;
  }
  const back = join(local.dir, "disk", "back");
  const entries = await readdir(back, { recursive: true, withFileTypes: true });
  const found = entries.filter((entry) => entry.isFile() && entry.name === "b c+%ä.tif");
  assert.equal(found.length, 1, "a name is the same after going round");
  const [one] = found as [(typeof found)[number]];
  assert.deepEqual(new Uint8Array(await readFile(join(one.parentPath, one.name))), files.get("b c+%ä.tif"));
});

test("a download from GCS that is damaged on its way is fetched again, and an upload that is, is sent again", async (t) => {
  const gcs = await gcsTestStore();
  t.after(gcs.stop);
  const local = await localWorld(t);
  const bytes = filesToStage().get("b c+%ä.tif") as Uint8Array;
  await gcs.store.put(`${gcs.base}source/b.tif`, bytes);
  let damaged = 0;
  gcs.fake.damage = (sent) =>
    sent.length === bytes.length && damaged++ === 0
      ? Uint8Array.from(sent, (v, i) => (i === 7 ? v ^ 1 : v))
      : sent;
  await stage(gcs.store, `${gcs.base}source/`, `${local.disk}down`);
  assert.equal(damaged, 2);
  await mkdir(join(local.dir, "up"));
  await writeFile(join(local.dir, "up", "b.tif"), bytes);
  let spoilt = 0;
  gcs.fake.damageUpload = (stored) => {
    if (stored.length === bytes.length && spoilt++ === 0) stored[7] = (stored[7] as number) ^ 1;
  };
  await stage(gcs.store, toUri(`${join(local.dir, "up")}/`), `${gcs.base}up`);
  assert.equal(spoilt, 2);
  for (const base of [`${local.disk}down`, `${gcs.base}up`]) {
    const [staged] = await stagedOf(gcs.store, base, "");
    assert.deepEqual(
      [staged?.hash, sha256(await gcs.store.get(staged!.target))],
      [sha256(bytes), sha256(bytes)],
    );
  }
});
