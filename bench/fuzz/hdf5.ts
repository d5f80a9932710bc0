// Damages HDF5 files and reads everything in them: node bench/fuzz/hdf5.ts [MUTANTS] [--seed N] [--only MUTANT]
//
// Seeds: what our writer makes, real files below CYTOMESH_TEST_DATA, and with CYTOMESH_PYTHON h5py's files of every layout and index.
// Half of the mutants have their checksums put right, so that the damage gets past them.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openH5 } from "@cytomesh/hdf5";
import { createSeed, repairChecksums, signatures, walkFile } from "./hdf5-subject.ts";
import { marksOf, mutate, randomFrom } from "./mutate.ts";
import { childRange, fuzz, fuzzArguments, printReport, serveMutants } from "./run.ts";

const folder = join(tmpdir(), "cytomesh-fuzz-hdf5");
const maxSeedBytes = 256 * 1024;
const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../shared/data");

const { count, seed, only } = fuzzArguments(30_000);

function findSeeds(): string[] {
  const own = join(folder, "own.h5");
  createSeed(own);
  const python = process.env.CYTOMESH_PYTHON;
  const made = join(folder, "h5py");
  if (python !== undefined && !existsSync(made)) {
    mkdirSync(made, { recursive: true });
    execFileSync(python, [join(import.meta.dirname, "../../test/interop/hdf5.py"), made], {
      stdio: "ignore",
    });
  }
  const folders = [
    made,
    ...["omics", "tenx", "corrupt/hdf5_cve", "corrupt/hdf5_other"].map((name) => join(data, name)),
  ];
  const found = folders
    .filter((path) => existsSync(path))
    .flatMap((path) => readdirSync(path).map((name) => join(path, name)))
    .filter((path) => /\.(h5|h5ad|h5mu|hdf5|loom)$/.test(path) && statSync(path).size <= maxSeedBytes);
  return [own, ...found.sort()];
}

const range = childRange();
mkdirSync(folder, { recursive: true });
if (range === undefined && only === undefined) {
  const seeds = findSeeds();
  writeFileSync(join(folder, "seeds.json"), JSON.stringify(seeds));
  console.log(`${seeds.length} seed files of at most ${maxSeedBytes / 1024} KiB`);
  const report = await fuzz(import.meta.filename, {
    count,
    limitMs: 10_000,
    rssLimitMiB: 1_024,
    args: ["--seed", String(seed)],
  });
  printReport(`HDF5, seed ${seed}`, count, report);
  rmSync(join(folder, "mutant.h5"), { force: true });
  process.exitCode = report.hangs.length + report.crashes.length + report.untyped.length === 0 ? 0 : 1;
} else {
  const seeds = JSON.parse(readFileSync(join(folder, "seeds.json"), "utf8")) as string[];
  const originals = new Map<string, { bytes: Uint8Array; marks: number[] }>();
  const attempt = async (mutant: number): Promise<string> => {
    const random = randomFrom(seed * 1_000_003 + mutant);
    const path = seeds[Math.floor(random() * seeds.length)]!;
    let original = originals.get(path);
    if (original === undefined) {
      const bytes = new Uint8Array(readFileSync(path));
      original = { bytes, marks: marksOf(bytes, signatures) };
      originals.set(path, original);
    }
    const { bytes, what } = mutate(original.bytes, random, { marks: original.marks });
    if (random() < 0.5) repairChecksums(bytes, original.bytes);
    const target = join(folder, only === undefined ? "mutant.h5" : `mutant-${only}.h5`);
    writeFileSync(target, bytes);
    if (only !== undefined) console.log(`${path}: ${what} -> ${target}`);
    return walkFile(() => openH5(target, { engine: "native", maxBytes: 64 * 2 ** 20 }));
  };
  if (range !== undefined) await serveMutants(range, attempt);
  else console.log(await attempt(only!));
}
