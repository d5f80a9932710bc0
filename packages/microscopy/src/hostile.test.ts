import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MicroscopyError } from "./errors.ts";
import { openImageBytes } from "./open.ts";
import { createJpeg2000Encoder } from "./testing/jpeg2000.ts";
import { buildTiff, type TiffShape } from "./testing/tiff-builder.ts";
import type { ReadLimits } from "./types.ts";

const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../../shared/data");
const limits: Partial<ReadLimits> = { maxPlaneBytes: 2 ** 24, maxSegmentBytes: 2 ** 24, maxPages: 10_000 };

/** Opens and reads a plane of every series and level; what it throws must be of this package. */
async function readAll(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<string> {
  try {
    await using image = await openImageBytes(bytes, name, { limits });
    for (const { index, levels, sizes } of image.info.series.slice(0, 20))
      for (let level = 0; level < Math.min(8, levels.length); level++)
        await image.plane({ series: index, level, t: sizes.t - 1, c: sizes.c - 1, z: sizes.z - 1 });
    return "read";
  } catch (error) {
    assert.ok(error instanceof MicroscopyError, `${name}: ${(error as Error).stack}`);
    assert.match(error.message, new RegExp(name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
    return error.tag;
  }
}

const shape: TiffShape = {
  width: 24,
  height: 20,
  samples: 1,
  bits: 16,
  format: 1,
  littleEndian: true,
  big: false,
  compression: 5,
  predictor: 2,
  separate: false,
  tile: 0,
  rows: 7,
};

test("damaged files give typed errors", async () => {
  let state = 20_260_901;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pixels = Uint8Array.from({ length: 960 }, (_, i) => (i * 7) >> 3);
  const encode = await createJpeg2000Encoder();
  const outcomes = new Map<string, number>();
  for (const variant of [
    {},
    { compression: 8 },
    { compression: 50000, big: true },
    { tile: 16, littleEndian: false },
    { compression: 32773 },
    { compression: 34712, encode },
    { compression: 34712, encode, tile: 16 },
  ]) {
    const whole = buildTiff({ ...shape, ...variant } as TiffShape, [{ pixels }, { pixels }, { pixels }]);
    for (let i = 0; i < 80; i++) {
      const bytes = whole.slice(0, i % 4 === 0 ? random(whole.length) : whole.length);
      for (let k = random(6); k >= 0 && bytes.length > 8; k--) bytes[random(bytes.length)] = random(256);
      const outcome = await readAll(bytes, `mutant-${i}.tif`);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  }
  assert.ok((outcomes.get("read") ?? 0) > 50 && outcomes.size > 3, JSON.stringify([...outcomes]));
});

test("a chain of directories that returns to itself ends", async () => {
  const bytes = buildTiff({ ...shape, compression: 1, predictor: 1 }, [{ pixels: new Uint8Array(960) }]);
  const view = new DataView(bytes.buffer);
  const directory = view.getUint32(4, true);
  view.setUint32(directory + 2 + 12 * view.getUint16(directory, true), directory, true);
  await using image = await openImageBytes(bytes, "loop.tif");
  assert.equal(image.info.series[0]?.sizes.t, 1);
  assert.match(image.info.warnings.join(), /returns to/);
});

test("sizes that the file cannot hold are refused before memory is taken", async () => {
  const bytes = buildTiff({ ...shape, compression: 8, predictor: 1 }, [{ pixels: new Uint8Array(960) }]);
  const view = new DataView(bytes.buffer);
  const directory = view.getUint32(4, true);
  view.setUint32(directory + 10, 40_000, true);
  view.setUint32(directory + 22, 40_000, true);
  assert.match(await readAll(bytes, "huge.tif"), /too-large|corrupt/);
});

test("the corrupt TIFFs at hand", {
  skip: existsSync(join(data, "corrupt")) ? false : "no test data",
}, async () => {
  for (const folder of ["corrupt/tiff", "corrupt/tiff_fuzz", "corrupt/ome"])
    for (const name of readdirSync(join(data, folder)))
      await readAll(new Uint8Array(readFileSync(join(data, folder, name))), name);
});
