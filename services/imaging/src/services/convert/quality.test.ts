import assert from "node:assert/strict";
import { test } from "node:test";
import { type Plane, resizeNearest } from "@cytomesh/microscopy";
import { measure } from "@cytomesh/segmentation";
import fc from "fast-check";
import { crop, cropWindow } from "./crop.ts";
import { otherMask, ownMask } from "./masks.ts";
import { sampledFrom } from "./pixel-ops.ts";
import { qualityOf } from "./quality.ts";

test("masks and neighbours are those of the crop of the resized labels", () => {
  fc.assert(
    fc.property(
      fc.record({
        width: fc.integer({ min: 1, max: 30 }),
        height: fc.integer({ min: 1, max: 30 }),
        factor: fc.constantFrom(0.4, 1, 1.3526, 2.5765),
        size: fc.integer({ min: 1, max: 60 }),
        centroidY: fc.integer({ min: -5, max: 80 }),
        centroidX: fc.integer({ min: -5, max: 80 }),
        seed: fc.array(fc.integer({ min: -6, max: 5 }), { minLength: 1, maxLength: 40 }),
      }),
      ({ width, height, factor, size, centroidY, centroidX, seed }) => {
        const labels = Int32Array.from({ length: width * height }, (_, i) =>
          Math.max(0, seed[(i >> 1) % seed.length] as number),
        );
        const instances = measure(labels, width, height);
        const [rows, columns] = [sampledFrom(height, factor), sampledFrom(width, factor)];
        if (rows.length === 0 || columns.length === 0) return;
        const window = cropWindow({ centroidY, centroidX }, size);
        const image = { width: columns.length, height: rows.length, max: 0 };
        const channels = [{ ...image, data: new Uint16Array(rows.length * columns.length) }];
        const plane: Plane = { width, height, samples: 1, pixelType: "int32", data: labels };
        const resized = { ...image, data: resizeNearest(plane, factor).data as Int32Array };
        const cut = crop(resized, window);
        const inCrop = new Set(cut);
        const label = instances[0]?.label ?? 7;
        const nucleus = { label, all: { labels, width, instances }, rows, columns };
        const { neighbours } = qualityOf(window, nucleus, channels, 65_535, false);
        const sampled = { labels, width, rows, columns };
        const own = ownMask(sampled, window, label);
        assert.deepEqual(
          own,
          Uint8Array.from(cut, (one) => (one === label ? 1 : 0)),
        );
        const others = otherMask(sampled, window, own);
        assert.deepEqual(
          others,
          Uint8Array.from(cut, (one) => (one !== label && one !== 0 ? 1 : 0)),
        );
        assert.equal(neighbours, [...inCrop].filter((one) => one !== 0 && one !== label).length);
      },
    ),
    { numRuns: 300 },
  );
});
