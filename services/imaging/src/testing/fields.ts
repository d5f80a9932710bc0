import type { TestContext } from "node:test";
import { openImageBytes } from "@cytomesh/microscopy";
import type { ObjectStore } from "@cytomesh/object-store";
import { discField, noise } from "@cytomesh/segmentation/testing";
import { convertFieldsHandler } from "../services/convert/convert-job.ts";
import { attempt, type JobItems } from "./run-job.ts";
import { tiffOf } from "./tiff.ts";
import { imagingWorld } from "./world.ts";

/** Size of the fields, px. */
export const width = 140;
export const height = 90;
const discs = [
  { y: 30, x: 30, radius: 12 },
  { y: 55, x: 90, radius: 14 },
];
/** Channel 1 of even and of odd fields: two nuclei, and one. */
export const nuclei = [discField(width, height, discs), discField(width, height, discs.slice(1), 2)];

/** Field `i`: noise, and nuclei. */
export const fieldOf = (i: number) =>
  tiffOf([
    { width, height, pixels: noise(width * height, 11 + i) },
    { width, height, pixels: nuclei[i % 2] as Uint16Array },
  ]);

/** What these tests look at of a conversion's result. */
export type Result = {
  crops: bigint;
  failedFields: number;
  tableUri: string;
  shards: number;
  metadataUri: string;
};

/** The plane of an encoded crop. */
export async function pixelsOf(bytes: Uint8Array) {
  await using image = await openImageBytes(Uint8Array.from(bytes), "crop");
  return image.plane();
}

/** A world with two good fields and a bad one, and a way to convert the good ones. */
export async function fieldsWorld(t: TestContext) {
  const it = await imagingWorld(t);
  const good = [
    await it.write("plate, well 0.ome.tif", fieldOf(0)),
    await it.write("plate, well 1.ome.tif", fieldOf(1)),
  ];
  const bad = await it.write("bad.tif", "no image at all");
  const spec = { uris: good, outputUri: it.outputUri, nucleusChannel: 1, cropSizePx: 64 };
  const convert = (over: ObjectStore, more: object = {}, items: JobItems = new Map(), o: object = {}) =>
    attempt(convertFieldsHandler(it.depsOf(over)), { ...spec, ...more }, items, o) as Promise<Result>;
  return { ...it, good, bad, spec, convert };
}
