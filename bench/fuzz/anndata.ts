// Damages AnnData, 10x and Matrix Market files and reads everything in them: node bench/fuzz/anndata.ts [MUTANTS] [--seed N] [--only MUTANT]
//
// Seeds: a study that our writer makes, by row and by column, a Matrix Market triple (plain and gzipped), and the real .h5ad, 10x, loom and zarr.zip files below
// CYTOMESH_TEST_DATA of at most 256 KiB. Half of the HDF5 mutants have their checksums put right, so that the damage gets past them.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createH5adSeed, mtxSeed, walkAnnData, writeMtx } from "./anndata-subject.ts";
import { repairChecksums, signatures } from "./hdf5-subject.ts";
import { marksOf, mutate, randomFrom } from "./mutate.ts";
import { childRange, fuzz, fuzzArguments, printReport, serveMutants } from "./run.ts";

const folder = join(tmpdir(), "cytomesh-fuzz-anndata");
const maxSeedBytes = 256 * 1024;
const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../shared/data");
const { count, seed, only } = fuzzArguments(30_000);
const range = childRange();
const tempDir = join(folder, "tmp");

/** Of three mutants one is a Matrix Market triple. */
async function attempt(seeds: readonly string[], mutant: number): Promise<string> {
  const random = randomFrom(seed * 1_000_003 + mutant);
  if (random() < 1 / 3) {
    const names = Object.keys(mtxSeed);
    const name = names[Math.floor(random() * names.length)] as string;
    const { bytes, what } = mutate(Buffer.from(mtxSeed[name] as string), random);
    const target = join(folder, "mtx");
    rmSync(target, { recursive: true, force: true });
    writeMtx(target, name, bytes, random() < 0.3);
    if (only !== undefined) console.log(`${name}: ${what} -> ${target}`);
    return walkAnnData(target, tempDir);
  }
  const path = seeds[Math.floor(random() * seeds.length)] as string;
  const original = new Uint8Array(readFileSync(path));
  const { bytes, what } = mutate(original, random, { marks: marksOf(original, [...signatures, "PK"]) });
  if (random() < 0.5) repairChecksums(bytes, original);
  // The name tells nothing but whether a gzip is a tarball.
  const target = join(folder, `mutant-${basename(path).replace(/^[^.]*/, "")}`);
  writeFileSync(target, bytes);
  if (only !== undefined) console.log(`${path}: ${what} -> ${target}`);
  return walkAnnData(target, tempDir);
}

mkdirSync(tempDir, { recursive: true });
const list = join(folder, "seeds.json");
if (range === undefined && only === undefined) {
  const own = ["csr", "csc"].map((layout) => join(folder, `own-${layout}.h5ad`));
  await createH5adSeed(own[0]!, "csr");
  await createH5adSeed(own[1]!, "csc");
  const real = ["omics", "tenx", "corrupt/h5ad"]
    .map((name) => join(data, name))
    .filter((path) => existsSync(path))
    .flatMap((path) => readdirSync(path).map((name) => join(path, name)))
    .filter(
      (path) =>
        /\.(h5|h5ad|loom|zip|gz)$/.test(path) &&
        statSync(path).isFile() &&
        statSync(path).size <= maxSeedBytes,
    );
  writeFileSync(list, JSON.stringify([...own, ...real.sort()]));
  console.log(
    `${real.length + own.length} seed files of at most ${maxSeedBytes / 1024} KiB, and a Matrix Market triple`,
  );
  const report = await fuzz(import.meta.filename, {
    count,
    limitMs: 20_000,
    rssLimitMiB: 1_024,
    args: ["--seed", String(seed)],
  });
  printReport(`AnnData, 10x, Matrix Market, loom, zarr, seed ${seed}`, count, report);
  const left = readdirSync(tempDir).length;
  console.log(`  temporary folders left behind: ${left}`);
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = report.hangs.length + report.crashes.length + report.untyped.length + left === 0 ? 0 : 1;
} else {
  const seeds = JSON.parse(readFileSync(list, "utf8")) as string[];
  if (range !== undefined) await serveMutants(range, (mutant) => attempt(seeds, mutant));
  else console.log(await attempt(seeds, only as number));
}
