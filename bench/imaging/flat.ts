// Resident memory over a long job: OpenCell conversions of many fields (default 5,000) in 256 shards, threads as the service has them.
// Usage: node bench/imaging/flat.ts [fields]
import { link, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConversionRecipe } from "@cytomesh/contracts/jobs/v1/imaging";
import { createObjectStore, toUri } from "@cytomesh/object-store";
import { createTaskPool } from "@cytomesh/service-kit";
import { convertFieldsHandler } from "../../services/imaging/src/services/convert/convert-job.ts";
import { attempt } from "../../services/imaging/src/testing/run-job.ts";
import { writeFields } from "./fields.ts";

const count = Number(process.argv[2] ?? 5_000);
const distinct = 8;
const dir = await mkdtemp(join(tmpdir(), "bench-flat-"));
const store = createObjectStore({});
const pool = createTaskPool(new URL("../../services/imaging/src/services/tasks.ts", import.meta.url), {
  threads: 2,
});
try {
  await writeFields(dir, distinct);
  const tempDir = join(dir, "tmp");
  await mkdir(tempDir);
  // Many names, few contents: disks are not what is measured.
  const name = (i: number) => `OC-FOV_G${i}_ENSG0_CID0_FID${String(i).padStart(8, "0")}`;
  for (let i = distinct; i < count; i++) {
    await link(
      join(dir, "opencell", `${name(i % distinct)}_proj.tif`),
      join(dir, "opencell", `${name(i)}_proj.tif`),
    );
    await link(join(dir, "labels", `${name(i % distinct)}.tif`), join(dir, "labels", `${name(i)}.tif`));
  }
  const handler = convertFieldsHandler({
    store,
    tempDir,
    pool,
    storeSettings: { CYTOMESH_DATA_DIR: dir },
    limits: { maxPixels: 2 ** 26, maxChannels: 64, maxFieldBytes: 2 ** 30 },
  });
  const rss: number[] = [];
  let shards = 0;
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  await attempt(
    handler,
    {
      listing: { prefixUri: `${toUri(join(dir, "opencell"))}/` },
      outputUri: toUri(join(dir, "out")),
      recipe: ConversionRecipe.OPENCELL,
      segmentation: { labelsUriPattern: `${toUri(join(dir, "labels"))}/{stem}.tif` },
      // Only the archives of the shards would fill a disk; the largest nuclei alone keep the crops few.
      minAreaPx: 4_400,
      outputs: { archive: true, combinedPng: true },
    },
    new Map(),
    {
      onRecord(_, outcome) {
        if (outcome !== "succeeded") return;
        shards += 1;
        rss.push(process.memoryUsage.rss() / 2 ** 20);
      },
    },
  );
  const { user, system } = process.cpuUsage(cpu);
  const part = (from: number, to: number) => {
    const some = rss.slice(Math.floor(from * rss.length), Math.max(1, Math.ceil(to * rss.length)));
    return Math.max(...some).toFixed(0);
  };
  console.log(
    `${count} fields in ${shards} shards, ${((performance.now() - wall) / 1e3).toFixed(0)} s, ${((user + system) / 1e6).toFixed(0)} s of CPU`,
  );
  console.log(
    `RSS with both threads, MiB: first tenth ${part(0, 0.1)}, second quarter ${part(0.25, 0.5)}, third ${part(0.5, 0.75)}, last ${part(0.75, 1)}`,
  );
} finally {
  await pool.close();
  await store.close();
  await rm(dir, { recursive: true, force: true });
}
