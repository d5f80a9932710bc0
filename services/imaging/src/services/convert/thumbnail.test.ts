import assert from "node:assert/strict";
import { test } from "node:test";
import { uniform } from "@cytomesh/segmentation/testing";
import { sampledFrom } from "./pixel-ops.ts";
import { channelColours, type Stretch, thumbnail, thumbSize } from "./thumbnail.ts";

const orange = [255, 190, 40];
const noise = (width: number, height: number, seed: number) => {
  const random = uniform(seed);
  return { width, height, data: Uint16Array.from({ length: width * height }, () => 4_000 * random()) };
};
const at = (rgb: Uint8Array, x: number, y: number) => [
  ...rgb.subarray((y * thumbSize + x) * 3, (y * thumbSize + x) * 3 + 3),
];

/** What a grey becomes, by the words of the sheet. */
function lightOf(greys: readonly number[], stretches: readonly Stretch[]): number[] {
  const light = [0, 0, 0];
  for (const [c, grey] of greys.entries()) {
    const { low, high } = stretches[c] as Stretch;
    const share = Math.max(0, Math.min(1, (grey - low) / (high - low)));
    for (const k of [0, 1, 2])
      light[k]! += share ** 0.7 * 255 * ((channelColours[c] as readonly number[])[k] as number);
  }
  return light.map((value) => Math.min(255, value));
}

test("a pixel of a thumbnail is the mean of three rows and columns below it, black outside the image", () => {
  const planes = [noise(900, 700, 1), noise(900, 700, 2)];
  const stretches = [
    { low: 100, high: 3_000 },
    { low: 0, high: 3_500 },
  ];
  for (const [top, left] of [
    [30, 200],
    [-317, -3],
    [411, 650],
  ] as const) {
    const rgb = thumbnail(planes, { top, left, size: 640 }, stretches, undefined);
    for (let y = 0; y < thumbSize; y++)
      for (let x = 0; x < thumbSize; x++) {
        const greys = planes.map(({ width, height, data }) => {
          let sum = 0;
          for (const dy of [0, 2, 4])
            for (const dx of [0, 2, 4]) {
              const [row, column] = [top + y * 5 + dy, left + x * 5 + dx];
              if (row >= 0 && row < height && column >= 0 && column < width)
                sum += data[row * width + column] as number;
            }
          return sum / 9;
        });
        const expected = lightOf(greys, stretches);
        const found = at(rgb, x, y);
        assert.ok(
          found.every((value, k) => Math.abs(value - (expected[k] as number)) < 1.5),
          `${top}, ${left}: ${x}, ${y}: ${found}, expected ${expected}`,
        );
      }
  }
});

test("crops of every size fill the thumbnail", () => {
  const stretch = { low: 0, high: 1_000 };
  for (const size of [1, 60, 128, 129, 256, 300, 2_000]) {
    const plane = { width: size, height: size, data: new Uint16Array(size * size).fill(1_000) };
    const rgb = thumbnail([plane], { top: 0, left: 0, size }, [stretch], undefined);
    const lit = lightOf([1_000], [stretch]).map(Math.floor);
    for (const place of [0, 64, 127]) assert.deepEqual(at(rgb, place, place), lit, `${size}`);
  }
});

test("a nucleus is outlined where it is labelled, also in crops of an enlarged image", () => {
  const side = 200;
  const labels = new Int32Array(side * side);
  for (let y = 60; y < 140; y++) labels.fill(3, y * side + 50, y * side + 150);
  labels.fill(2, 0, 10 * side);
  const factor = 3.2;
  const image = { labels, width: side, rows: sampledFrom(side, factor), columns: sampledFrom(side, factor) };
  const window = { top: 0, left: 0, size: 640 };
  const plane = { width: 640, height: 640, data: new Uint16Array(640 * 640) };
  const rgb = thumbnail([plane], window, [{ low: 0, high: 1 }], { image, window, label: 3 });
  for (let y = 0; y < thumbSize; y++)
    for (let x = 0; x < thumbSize; x++) {
      // 5 pixels of the crop are one of the thumbnail, 3.2 one of the labels.
      const inside = (px: number, py: number) => {
        const [column, row] = [Math.floor((px * 5 + 2) / factor), Math.floor((py * 5 + 2) / factor)];
        return column >= 50 && column < 150 && row >= 60 && row < 140;
      };
      const edge =
        inside(x, y) && !(inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1));
      assert.deepEqual(at(rgb, x, y), edge ? orange : [0, 0, 0], `${x}, ${y}`);
    }
});
