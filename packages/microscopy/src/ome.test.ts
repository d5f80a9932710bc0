import assert from "node:assert/strict";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createObjectStore, toUri } from "@cytomesh/object-store";
import {
  encodeOmeTiff,
  type ImageInput,
  openImage,
  openImageBytes,
  type Plane,
  writeOmeZarr,
} from "./index.ts";
import { buildTiff, type TiffShape } from "./testing/tiff-builder.ts";

const shape: TiffShape = {
  width: 6,
  height: 4,
  samples: 1,
  bits: 8,
  format: 1,
  littleEndian: true,
  big: false,
  compression: 1,
  predictor: 1,
  separate: false,
  tile: 0,
  rows: 4,
};

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "microscopy-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const page = (value: number, description?: string) => ({
  pixels: new Uint8Array(24).fill(value),
  ...(description !== undefined && { description }),
});

const omeXml = (pixels: string, inner: string, root = "") =>
  `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" ${root}>` +
  `<Image ID="Image:0" Name="a &lt; b &#181;"><Pixels ID="Pixels:0" Type="uint8" SizeX="6" SizeY="4" ${pixels}>${inner}</Pixels></Image></OME>`;

test("planes are found in DimensionOrder, with names and sizes in micrometres", async () => {
  const xml = omeXml(
    `DimensionOrder="XYZCT" SizeZ="2" SizeC="2" SizeT="1" PhysicalSizeX="108" PhysicalSizeXUnit="nm" PhysicalSizeY="108" PhysicalSizeYUnit="nm" PhysicalSizeZ="0.5"`,
    `<Channel ID="Channel:0" Name="DNA" EmissionWavelength="461" Color="65535"/><Channel ID="Channel:1" Name="&quot;ER&quot;"/><TiffData/>`,
  );
  await using image = await openImageBytes(
    buildTiff(shape, [page(0, xml), page(1), page(2), page(3)]),
    "a.ome.tif",
  );
  const series = image.info.series[0]!;
  assert.equal(image.info.format, "ome-tiff");
  assert.equal(series.axes, "TCZYX");
  assert.equal(series.name, "a < b µ");
  assert.deepEqual(series.channels, [{ name: "DNA", color: "#0000ff", emissionNm: 461 }, { name: '"ER"' }]);
  assert.deepEqual(series.pixelSizeUm, { x: 0.108, y: 0.108, z: 0.5 });
  assert.equal((await image.plane({ c: 1, z: 0 })).data[0], 2);
  assert.equal((await image.plane({ c: 0, z: 1 })).data[0], 1);
});

test("bits that are used are said, and a type that is not that of the pages is", async () => {
  const sizes = `DimensionOrder="XYZCT" SizeZ="1" SizeC="1" SizeT="1"`;
  const open = (xml: string) => openImageBytes(buildTiff(shape, [page(0, xml)]), "a.ome.tif");
  await using six = await open(omeXml(`${sizes} SignificantBits="6"`, "<TiffData/>"));
  const [series] = six.info.series;
  assert.deepEqual([series?.bitsPerSample, series?.significantBits, six.info.warnings], [8, 6, []]);
  await using all = await open(omeXml(`${sizes} SignificantBits="16"`, "<TiffData/>"));
  assert.equal(all.info.series[0]?.significantBits, undefined);
  await using other = await open(omeXml(sizes, "<TiffData/>").replace('"uint8"', '"uint16"'));
  assert.equal(other.info.series[0]?.pixelType, "uint8");
  assert.match(other.info.warnings.join(), /says uint16 pixels, its pages have uint8/);
});

test("planes in other files are read from there; what is missing concerns its planes only", async (t) => {
  const dir = await folder(t);
  const file = (z: number, name: string) =>
    `<TiffData FirstZ="${z}" IFD="0" PlaneCount="1"><UUID FileName="${name}">urn:uuid:${z}</UUID></TiffData>`;
  const xml = omeXml(
    `DimensionOrder="XYZCT" SizeZ="4" SizeC="1" SizeT="1"`,
    file(0, "one.ome.tif") + file(1, "two.ome.tif") + file(2, "gone.ome.tif") + file(3, "../two.ome.tif"),
  );
  await writeFile(join(dir, "one.ome.tif"), buildTiff(shape, [page(10, xml)]));
  await writeFile(join(dir, "two.ome.tif"), buildTiff(shape, [page(20)]));
  await writeFile(join(dir, "set.companion.ome"), xml);
  const store = createObjectStore();
  t.after(() => store.close());
  for (const uri of [join(dir, "one.ome.tif"), join(dir, "set.companion.ome")]) {
    await using image = await openImage(toUri(uri), { store });
    assert.equal(image.info.needsOtherFiles, true);
    assert.equal((await image.plane({ z: 0 })).data[0], 10);
    assert.equal((await image.plane({ z: 1 })).data[0], 20);
    await assert.rejects(image.plane({ z: 2 }), { tag: "missing-file", message: /gone\.ome\.tif/ });
    await assert.rejects(image.plane({ z: 3 }), { tag: "refused-reference" });
  }
});

test("more planes than pages: a warning, and an error for those that are not there", async () => {
  const xml = omeXml(`DimensionOrder="XYZCT" SizeZ="1" SizeC="5" SizeT="1"`, "<TiffData/>");
  await using image = await openImageBytes(buildTiff(shape, [page(1, xml), page(2)]), "few.ome.tif");
  assert.equal(image.info.needsOtherFiles, false);
  assert.match(image.info.warnings.join(), /5 planes, 3 of them are not there/);
  assert.equal((await image.plane({ c: 1 })).data[0], 2);
  await assert.rejects(image.plane({ c: 2 }), { tag: "missing-plane", message: /expected page 2/ });
});

test("XML that is cut off, nested without end or defines entities is not used, and said so", async () => {
  const whole = omeXml(`DimensionOrder="XYZCT" SizeZ="1" SizeC="1" SizeT="1"`, "<TiffData/>");
  const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>${whole.slice(21)}`;
  const deep = whole.replace("<TiffData/>", "<a>".repeat(200) + "</a>".repeat(200));
  for (const xml of [whole.slice(0, -30), bomb, deep]) {
    await using image = await openImageBytes(buildTiff(shape, [page(7, xml)]), "bad.ome.tif");
    assert.equal(image.info.format, "tiff");
    assert.match(image.info.warnings.join(), /OME-XML is not used/);
    assert.equal((await image.plane()).data[0], 7);
  }
});

const input: ImageInput = {
  name: "made",
  pixelType: "uint16",
  sizes: { t: 1, c: 2, z: 3, y: 35, x: 50 },
  channels: [{ name: "DNA" }, { name: "ER", color: "#00ff00" }],
  pixelSizeUm: { x: 0.1, y: 0.1, z: 0.3 },
  plane: ({ c, z }) => ({
    width: 50,
    height: 35,
    samples: 1,
    pixelType: "uint16",
    data: Uint16Array.from({ length: 1_750 }, (_, i) => (i * 31 + c * 1_000 + z * 7) % 65_536),
  }),
};

test("an OME-TIFF and an OME-Zarr come back as they were written, level by level, byte for byte the same each time", async (t) => {
  const dir = await folder(t);
  const store = createObjectStore();
  t.after(() => store.close());
  const tiff = async () =>
    Buffer.concat(await Array.fromAsync(encodeOmeTiff(input, { tileSize: 16, levels: 2 })));
  const bytes = await tiff();
  assert.ok(bytes.equals(await tiff()));
  await writeFile(join(dir, "a.ome.tif"), bytes);
  await writeOmeZarr(store, toUri(join(dir, "a.zarr")), input, { chunkSize: 16, levels: 2 });
  await writeOmeZarr(store, toUri(join(dir, "b.zarr")), input, { chunkSize: 16, levels: 2, sharded: true });
  let small: Plane | undefined;
  for (const name of ["a.ome.tif", "a.zarr", "b.zarr"]) {
    await using image = await openImage(toUri(join(dir, name)), { store });
    const series = image.info.series[0]!;
    assert.deepEqual(series.sizes, { t: 1, c: 2, z: 3, y: 35, x: 50, samples: 1 });
    assert.deepEqual(series.pixelSizeUm, input.pixelSizeUm);
    assert.deepEqual(
      series.channels.map((channel) => channel.name),
      ["DNA", "ER"],
    );
    assert.deepEqual(series.levels, [
      { width: 50, height: 35 },
      { width: 25, height: 18 },
    ]);
    const expected = (await input.plane({ t: 0, c: 1, z: 2 }, undefined)).data;
    assert.deepEqual((await image.plane({ c: 1, z: 2 })).data, expected, name);
    const region = await image.plane({ c: 1, z: 2, region: { x: 13, y: 9, width: 20, height: 11 } });
    assert.equal(region.data[21], expected[10 * 50 + 14]);
    const level = await image.plane({ c: 1, z: 2, level: 1 });
    small ??= level;
    assert.deepEqual(level.data, small.data, name);
  }
  await assert.rejects(openImage(toUri(join(dir, "none.zarr")), { store }), { tag: "not-an-image" });
  await truncate(join(dir, "a.zarr", "0", "c", "0", "0", "0", "0", "0"), 9);
  await using damaged = await openImage(toUri(join(dir, "a.zarr")), { store });
  await assert.rejects(damaged.plane(), { tag: "corrupt", message: /^file:.*a\.zarr\/0: chunk/ });
});
