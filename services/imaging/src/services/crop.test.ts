import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { noise } from "../testing/fields.ts";
import { crop, cropWindow } from "./crop.ts";

test("a crop holds the pixels around the centroid, and zeros outside of the field", () => {
  const side = fc.integer({ min: 1, max: 12 });
  fc.assert(
    fc.property(side, side, side, fc.double({ min: 0, max: 1, noNaN: true }), (width, height, size, part) => {
      const pixels = noise(width * height).map((value) => value | 1);
      const centroid = { centroidY: part * (height - 1), centroidX: (1 - part) * (width - 1) };
      const window = cropWindow(centroid, size, width, height);
      const cut = crop(pixels, width, height, window);
      const expected = Array.from({ length: size * size }, (_, i) => {
        const y = Math.round(centroid.centroidY) - Math.floor(size / 2) + Math.floor(i / size);
        const x = Math.round(centroid.centroidX) - Math.floor(size / 2) + (i % size);
        return y < 0 || x < 0 || y >= height || x >= width ? 0 : pixels[y * width + x];
      });
      assert.deepEqual([...cut], expected);
      assert.equal(window.padded, expected.includes(0));
    }),
  );
});
