import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type ObjectStore, toUri } from "@cytomesh/object-store";
import { discField, noise } from "@cytomesh/segmentation/testing";
import { s3TestStore } from "../../packages/object-store/src/testing/stores.ts";
import { convertFieldsHandler } from "../../services/imaging/src/services/convert/convert-job.ts";
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

test("fields are read from S3 and crops written there, the same bytes as on a disk", async (t) => {
  const s3 = await s3TestStore();
  t.after(s3.stop);
  const local = await imagingWorld(t);
  const tempDir = await mkdtemp(join(tmpdir(), "imaging-s3-"));
  t.after(() => rm(tempDir, { recursive: true, force: true }));
  const convert = async (store: ObjectStore, base: string) => {
    for (let i = 0; i < 3; i++) await store.put(`${base}fields/f${i}.ome.tif`, fieldOf(11 + i));
    const outputUri = `${base}out`;
    const made = (await attempt(convertFieldsHandler({ ...local.depsOf(store), tempDir }), {
      listing: { prefixUri: `${base}fields/` },
      outputUri,
      nucleusChannel: 1,
      cropSizePx: 64,
      shards: 2,
      outputs: { channelPng: true },
    })) as { crops: bigint };
    const objects = new Map<string, Buffer>();
    // Names of crops carry a hash of the field's URI.
    for await (const { uri } of store.list(`${outputUri}/crops/`))
      objects.set(
        uri.slice(outputUri.length).replace(/-[0-9a-f]{8}_/, "_"),
        Buffer.from(await store.get(uri)),
      );
    const manifest = JSON.parse(Buffer.from(await store.get(`${outputUri}/manifest.json`)).toString());
    return { crops: made.crops, manifest: manifest.crops, objects };
  };
  await mkdir(join(local.dir, "disk"));
  const far = await convert(s3.store, s3.base);
  const near = await convert(local.store, toUri(`${join(local.dir, "disk")}/`));
  assert.deepEqual([far.crops, far.manifest], [near.crops, near.manifest]);
  assert.ok(
    far.crops > 0n && far.objects.size >= Number(far.crops) * 2,
    `${far.objects.size} of ${far.crops}`,
  );
  assert.deepEqual(far.objects, near.objects);
});
