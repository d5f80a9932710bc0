// The whole OpenCell conversion against the Python pipeline (tifffile, scikit-image, OpenCV), on one core each, with the same labels, in one
// run: seconds of CPU for decode, labels, resize, crop and PNG, for everything, and for a contact sheet, which the pipeline does not make.
// Usage: node bench/imaging/convert.ts [fields, default 12]
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConversionRecipe } from "@cytomesh/contracts/jobs/v1/imaging";
import { openImageBytes } from "@cytomesh/microscopy";
import { createObjectStore, toUri } from "@cytomesh/object-store";
import { filterInstances, measureSampled, segmentationFromLabels } from "@cytomesh/segmentation";
import { convertFieldsHandler } from "../../services/imaging/src/services/convert/convert-job.ts";
import { cropWindow, type Raster } from "../../services/imaging/src/services/convert/crop.ts";
import { cutPixels, encoderOver } from "../../services/imaging/src/services/convert/crop-pixels.ts";
import { resizeLinear, sampledFrom } from "../../services/imaging/src/services/convert/pixel-ops.ts";
import {
  giveBack,
  takeBytes,
  takeLabels,
  takePlane,
} from "../../services/imaging/src/services/convert/spare-memory.ts";
import { attempt } from "../../services/imaging/src/testing/run-job.ts";
import { inlinePool } from "../../services/imaging/src/testing/world.ts";
import { python } from "../data-plane/study.ts";
import { side, writeFields } from "./fields.ts";

const count = Number(process.argv[2] ?? 12);
const dir = await mkdtemp(join(tmpdir(), "bench-convert-"));
const store = createObjectStore({});
/** Pixels of all crops, and of the images that they are cut from. */
let [covered, there] = [0, 0];
const cpuS = (from: NodeJS.CpuUsage) => {
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1e6;
};

/** The steps on their own, as the service calls them, over every field: seconds of CPU. */
async function steps(): Promise<Record<string, number>> {
  const spent: Record<string, number> = {
    decode: 0,
    labels: 0,
    resize: 0,
    crop: 0,
    png: 0,
    "png alone": 0,
  };
  const timed = async <T>(step: string, work: () => T | Promise<T>): Promise<T> => {
    const from = process.cpuUsage();
    const result = await work();
    spent[step]! += cpuS(from);
    return result;
  };
  const factor = 0.206349 / 0.0800885;
  for (const name of (await readdir(join(dir, "opencell"))).sort()) {
    const read = async (path: string, planes: number) => {
      const bytes = (await store.get(toUri(path), { room: takeBytes })) as Uint8Array<ArrayBuffer>;
      const result: Raster[] = [];
      {
        await using image = await openImageBytes(bytes, path);
        for (let c = 0; c < planes; c++) {
          const { width, height, data } = await image.plane({ c }, { into: takePlane(side * side) });
          result.push({ width, height, data: data as Uint16Array });
        }
      }
      giveBack(bytes);
      return result;
    };
    const planes = await timed("decode", () => read(join(dir, "opencell", name), 2));
    const [given] = await read(join(dir, "labels", name.replace("_proj", "")), 1);
    const found = await timed("labels", () =>
      segmentationFromLabels(given!.data, given!.width, given!.height, {}, takeLabels(side * side)),
    );
    const rules = { minAreaPx: 2_500, clearBorder: true };
    const kept = await timed("labels", () => filterInstances(found, rules, takeLabels(side * side)));
    const original = { planes, nuclei: kept.instances, size: 256 };
    // Labels are not resized: what the reference measures in them is measured as if they were.
    const resized = await timed("resize", () => ({
      planes: planes.map((plane) => resizeLinear(plane, factor)),
    }));
    const { width, height } = given!;
    const nuclei = await timed("labels", () =>
      measureSampled(
        kept.labels,
        width,
        height,
        sampledFrom(height, factor),
        sampledFrom(width, factor),
        kept.instances.length,
      ),
    );
    for (const set of [original, { planes: resized.planes, nuclei, size: 640 }]) {
      const windows = set.nuclei.map((nucleus) => cropWindow(nucleus, set.size));
      // What stands for cutting: the planes are laid where the encoder cuts from.
      using encoder = await timed("crop", () => encoderOver(set.planes, windows));
      for (const window of windows)
        await timed("png", () => cutPixels(set.planes, window, encoder).png("combined", 0, 1));
      // What crops cost that share nothing, as in fields with few nuclei.
      using single = encoderOver(set.planes, []);
      for (const window of windows)
        await timed("png alone", () => cutPixels(set.planes, window, single).png("combined", 0, 1));
      for (const { top, left, size } of windows)
        covered +=
          (Math.min(set.planes[0]!.height, top + size) - Math.max(0, top)) *
          (Math.min(set.planes[0]!.width, left + size) - Math.max(0, left));
      there += set.planes[0]!.data.length;
    }
    for (const lent of [...planes, given!, ...resized.planes, found, kept])
      giveBack("data" in lent ? lent.data : lent.labels);
  }
  return spent;
}

try {
  await writeFields(dir, count);
  const tempDir = join(dir, "tmp");
  await mkdir(tempDir);
  const handler = convertFieldsHandler({
    store,
    tempDir,
    pool: inlinePool(store, 1),
    storeSettings: { CYTOMESH_DATA_DIR: dir },
    limits: { maxPixels: 2 ** 26, maxChannels: 64, maxFieldBytes: 2 ** 30 },
  });
  const convert = async (out: string) => {
    const [wall, cpu] = [performance.now(), process.cpuUsage()];
    const result = (await attempt(handler, {
      listing: { prefixUri: `${toUri(join(dir, "opencell"))}/` },
      outputUri: toUri(join(dir, out)),
      recipe: ConversionRecipe.OPENCELL,
      segmentation: { labelsUriPattern: `${toUri(join(dir, "labels"))}/{stem}.tif` },
      shards: 1,
      outputs: { noContactSheet: out !== "shown" },
    })) as { crops: bigint };
    return { crops: Number(result.crops) * 2, wallS: (performance.now() - wall) / 1e3, cpuS: cpuS(cpu) };
  };
  await convert("warm");
  const ours = await convert("plain");
  const shown = await convert("shown");
  const own = await steps();
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  type Reference = {
    crops: number;
    bytes: number;
    wallS: number;
    cpuS: number;
    steps: Record<string, number>;
  };
  const run = (level: string) =>
    JSON.parse(
      execFileSync(python(), [
        join(import.meta.dirname, "convert.py"),
        dir,
        join(dir, `py-${level}`),
        level,
      ]).toString(),
    ) as Reference;
  const reference = run("default");
  if (reference.crops !== ours.crops)
    throw new Error(`${ours.crops} crops, the reference has ${reference.crops}`);
  let bytes = 0;
  for (const folder of ["intermediate", "resized"])
    for (const name of await readdir(join(dir, "plain", folder)))
      bytes += (await store.head(toUri(join(dir, "plain", folder, name))))?.size ?? 0;
  console.log(`OpenCell conversion, ${count} fields, ${ours.crops} crops, one core, seconds of CPU\n`);
  console.log("step       ours  python  ratio");
  const line = (name: string, a: number, b: number) =>
    console.log(
      `${name.padEnd(9)} ${a.toFixed(2).padStart(6)} ${b.toFixed(2).padStart(7)} ${(b / a).toFixed(2).padStart(6)}×`,
    );
  for (const [name, value] of Object.entries(own)) line(name, value, reference.steps[name.split(" ")[0]!]!);
  line("whole", ours.cpuS, reference.cpuS);
  console.log(
    `a contact sheet of ${count} fields' crops adds ${(shown.cpuS - ours.cpuS).toFixed(2)} s to ours`,
  );
  console.log(
    `\nwhole, wall: ${ours.wallS.toFixed(2)} s against ${reference.wallS.toFixed(2)} s; per core ${(count / ours.cpuS).toFixed(2)} fields/s against ${(count / reference.cpuS).toFixed(2)}`,
  );
  console.log(
    `PNG bytes: ${(bytes / 1e6).toFixed(1)} MB against ${(reference.bytes / 1e6).toFixed(1)} MB (${(bytes / reference.bytes).toFixed(2)}×); crops cover an image ${(covered / there).toFixed(1)} times; peak RSS of this process ${peakMiB.toFixed(0)} MiB`,
  );
} finally {
  await store.close();
  await rm(dir, { recursive: true, force: true });
}
