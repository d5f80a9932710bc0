import assert from "node:assert/strict";
import { test } from "node:test";
import { discField, noise } from "@cytomesh/segmentation/testing";
import { convertFieldsHandler } from "./services/convert/convert-job.ts";
import { openFieldImage } from "./services/convert/open-field.ts";
import { attempt } from "./testing/run-job.ts";
import { tiffOf } from "./testing/tiff.ts";
import { imagingWorld } from "./testing/world.ts";

const [width, height] = [140, 90];
const page = (pixels: Uint16Array) => ({ width, height, pixels });
const nuclei = discField(width, height, [
  { y: 30, x: 30, radius: 12 },
  { y: 55, x: 90, radius: 14 },
]);

/** OME-XML of two channels, each the first page of a file of its own. */
const xml = `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="${width}" SizeY="${height}" SizeZ="1" SizeC="2" SizeT="1"><Channel ID="Channel:0:0" Name="protein" SamplesPerPixel="1"/><Channel ID="Channel:0:1" Name="DNA" SamplesPerPixel="1"/>${[
  "one.ome.tif",
  "two.ome.tif",
]
  .map(
    (name, c) =>
      `<TiffData FirstC="${c}" IFD="0" PlaneCount="1"><UUID FileName="${name}">urn:uuid:${c}</UUID></TiffData>`,
  )
  .join("")}</Pixels></Image></OME>`;

test("an OME-TIFF of several files, and its companion, give the channels that lie in the others", async (t) => {
  const { deps, store, write, outputUri, files } = await imagingWorld(t);
  const one = await write("set/one.ome.tif", tiffOf([page(noise(width * height, 11))], xml));
  await write("set/two.ome.tif", tiffOf([page(nuclei)]));
  const companion = await write("set/set.companion.ome", xml);
  for (const uri of [one, companion]) {
    await using field = await openFieldImage(store, { uri }, deps.limits, new AbortController().signal);
    assert.deepEqual([field.channels, field.channelNames], [2, ["protein", "DNA"]]);
    assert.deepEqual((await field.channel(1, "max")).data, nuclei);
  }
  const spec = { uris: [one], outputUri, nucleusChannel: 1, cropSizePx: 64 };
  const made = (await attempt(convertFieldsHandler(deps), spec)) as { crops: bigint };
  assert.equal(made.crops, 2n);
  assert.ok((await files()).has("manifest.json"));
});
