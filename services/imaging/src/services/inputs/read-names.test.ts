import assert from "node:assert/strict";
import { test } from "node:test";
import { channelPattern } from "../../schemas/channel-pattern.ts";
import { readNames, sharedStart, siblingName } from "./read-names.ts";

const read = async (pattern: string, names: readonly string[]) =>
  (await readNames(channelPattern(pattern), names, new AbortController().signal)).map(
    (one) => one && [one.field, one.channel, one.z],
  );

test("the presets read the names that microscopes and collections give", async () => {
  assert.deepEqual(
    await read("hpa", [
      "1_A1_1_blue.png",
      "000a6c98-bb9b-11e8-b2b9-ac1f6b6435d0_yellow.tif",
      "1_A1_1_red.tif.gz",
      "1_A1_1_blue_red_green.jpg",
      "1_A1_1_grey.png",
    ]),
    [
      ["1_A1_1", "blue", undefined],
      ["000a6c98-bb9b-11e8-b2b9-ac1f6b6435d0", "yellow", undefined],
      ["1_A1_1", "red", undefined],
      undefined,
      undefined,
    ],
  );
  const guid = "7A65F60D-8A3C-4B1D-9F2C-0123456789AB";
  assert.deepEqual(
    await read("metamorph", [
      "name_w1.TIF",
      "exp_1_w1DAPI_s12_t3.TIF",
      "exp_w2Cy5 - confocal_s1.tif",
      `Week1_150607_B02_s1_w1${guid}.tif`,
      `Week1_150607_B02_s1_w1_thumb${guid}.tif`,
      "A01_w12.stk",
      "A01_s1.tif",
    ]),
    [
      ["name", "w1", undefined],
      ["exp_1_s12_t3", "w1DAPI", undefined],
      ["exp_s1", "w2Cy5 - confocal", undefined],
      ["Week1_150607_B02_s1", "w1", undefined],
      undefined,
      ["A01", "w12", undefined],
      undefined,
    ],
  );
  assert.deepEqual(
    await read("opera", ["r01c02f03p04-ch5sk1fk1fl1.tiff", "r01c02f03p04-ch5t02.tiff", "Index.idx.xml"]),
    [["r01c02f03_sk1", "ch5", "04"], ["r01c02f03_t02", "ch5", "04"], undefined],
  );
});

test("a pattern fits all of a name, in any alphabet", async () => {
  const pattern = "(?<channel>[^_]+)_(?<field>.+)\\.png";
  assert.deepEqual(await read(pattern, ["核_板 1.png", "a_b.png.part", `a_${"b".repeat(300)}.png`]), [
    ["板 1", "核", undefined],
    undefined,
    undefined,
  ]);
});

test("names of other channels and planes of a field, and what they share, follow from one of them", () => {
  const opera = channelPattern("opera");
  const name = "r01c02f03p04-ch5sk1fk1fl1.tiff";
  assert.equal(siblingName(opera, name, "ch12", "11"), "r01c02f03p11-ch12sk1fk1fl1.tiff");
  assert.equal(siblingName(opera, name, "ch1", undefined), "r01c02f03p04-ch1sk1fk1fl1.tiff");
  assert.equal(sharedStart(opera, name), "r01c02f03");
  assert.equal(sharedStart("(?<channel>[^_]+)_(?<field>.+)", "blue_a.png"), "");
});
