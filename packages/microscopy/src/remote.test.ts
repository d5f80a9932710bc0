import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectStore } from "@cytomesh/object-store";
import { encodeOmeTiff, openImage } from "./index.ts";
import { buildTiff } from "./testing/tiff-builder.ts";

/** A store of one object far away, which counts what is asked of it. */
function farStore(bytes: Uint8Array<ArrayBuffer>) {
  const asked = { requests: 0, bytes: 0 };
  const store: Pick<ObjectStore, "localPath" | "head" | "get"> = {
    localPath: () => undefined,
    head: async (uri) => ({ uri, size: bytes.length, etag: "1", lastModified: new Date(0) }),
    get: async (_uri, { range } = {}) => {
      const part = bytes.slice(range?.start, range?.end);
      asked.requests++;
      asked.bytes += part.length;
      return part;
    },
  };
  return { store: store as ObjectStore, asked };
}

test("a region of a far image costs a few small requests, and a known tile none", async () => {
  const side = 1_024;
  let state = 1;
  const data = Uint16Array.from({ length: side * side }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 16;
  });
  const input = {
    pixelType: "uint16" as const,
    sizes: { t: 1, c: 1, z: 1, y: side, x: side },
    plane: () => ({ width: side, height: side, samples: 1, pixelType: "uint16" as const, data }),
  };
  const bytes = Buffer.concat(await Array.fromAsync(encodeOmeTiff(input, { tileSize: 128 })));
  const { store, asked } = farStore(new Uint8Array(bytes));
  await using image = await openImage("s3://bucket/far.ome.tif", { store });
  const region = { x: 300, y: 700, width: 50, height: 40 };
  const opened = { ...asked };
  const plane = await image.plane({ region });
  assert.equal(plane.data[51], data[701 * side + 301]);
  assert.ok(
    asked.requests - opened.requests <= 3 && asked.bytes < bytes.length / 5,
    JSON.stringify({ asked, size: bytes.length }),
  );
  const before = asked.requests;
  await image.plane({ region });
  assert.equal(asked.requests, before);
});

test("the pages of a far stack that lie evenly are looked for ahead, many at a time", async () => {
  const shape = {
    width: 200,
    height: 200,
    samples: 1,
    bits: 8,
    format: 1,
    littleEndian: true,
    big: false,
    compression: 1,
    predictor: 1,
    separate: false,
    tile: 0,
    rows: 200,
  } as const;
  const bytes = buildTiff(
    shape,
    Array.from({ length: 80 }, (_, i) => ({ pixels: new Uint8Array(40_000).fill(i) })),
  );
  let inFlight = 0;
  let most = 0;
  const { store } = farStore(bytes);
  const slow: ObjectStore = {
    ...store,
    async get(uri, options) {
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight--;
      return store.get(uri, options);
    },
  };
  await using image = await openImage("gs://bucket/stack.tif", { store: slow });
  assert.equal(image.info.series[0]?.sizes.t, 80);
  assert.ok(most > 8, `${most} requests at a time`);
  assert.equal((await image.plane({ t: 79, region: { x: 5, y: 6, width: 7, height: 8 } })).data[0], 79);
});

test("an aborted read ends with the reason of its signal", async () => {
  const { store } = farStore(new Uint8Array(64));
  const reason = new Error("enough");
  const aborting: ObjectStore = {
    ...store,
    get: async (_uri, options) => {
      options?.signal?.throwIfAborted();
      return new Uint8Array(0);
    },
  };
  await assert.rejects(
    openImage("s3://bucket/a.tif", { store: aborting, signal: AbortSignal.abort(reason) }),
    reason,
  );
});
