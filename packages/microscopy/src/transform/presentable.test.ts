import assert from "node:assert/strict";
import { test } from "node:test";
import type { Plane } from "../types.ts";
import { presentable, presentableSamples } from "./presentable.ts";

const plane = (data: Plane["data"], pixelType: Plane["pixelType"]): Plane => ({
  width: data.length,
  height: 1,
  samples: 1,
  pixelType,
  data,
});

test("white-is-zero is turned round within its bits, grey is left alone", () => {
  const inverted = presentable(plane(Uint16Array.of(0, 1, 4095), "uint16"), {
    photometric: "white-is-zero",
    bitsPerSample: 12,
  });
  assert.deepEqual(inverted.data, Uint16Array.of(4095, 4094, 0));
  const grey = plane(Uint8Array.of(1, 2), "uint8");
  assert.equal(presentable(grey, { photometric: "grey", bitsPerSample: 8 }), grey);
  const floats = plane(Float32Array.of(0.5), "float32");
  assert.equal(presentable(floats, { photometric: "white-is-zero", bitsPerSample: 32 }), floats);
});

test("a palette becomes its colours; an index beyond it is damage", () => {
  const palette = Uint16Array.of(0, 0xffff, 0x1200, 0x00ff, 0x8000, 0x0100);
  const series = { photometric: "palette", palette, bitsPerSample: 8 } as const;
  const sizes = { t: 1, c: 1, z: 1, y: 1, x: 2, samples: 1 };
  assert.equal(presentableSamples({ ...series, sizes }), 3);
  assert.equal(presentableSamples({ photometric: "grey", sizes }), 1);
  const shown = presentable(plane(Uint8Array.of(1, 0), "uint8"), series);
  assert.deepEqual([shown.samples, [...shown.data]], [3, [255, 0, 1, 0, 0x12, 0x80]]);
  assert.throws(() => presentable(plane(Uint8Array.of(2), "uint8"), series), {
    tag: "corrupt",
    message: /index 2, but the palette has 2/,
  });
});
