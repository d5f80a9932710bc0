// Damages zarr hierarchies and reads everything in them: node bench/fuzz/zarr.ts [MUTANTS] [--seed N] [--only MUTANT]
//
// Seeds are made here: v2, v3 and shards of the model that the tests use, blosc containers of every codec, and a zip file of our writer.
// Of a hierarchy one or more objects are changed (metadata by value, so that it stays JSON), of the zip any bytes.
import { makeFuzzer } from "../../packages/zarr/src/testing/fuzz.ts";
import { childRange, fuzz, fuzzArguments, printReport, serveMutants } from "./run.ts";

const { count, seed, only } = fuzzArguments(30_000);
const range = childRange();

if (range === undefined && only === undefined) {
  const report = await fuzz(import.meta.filename, {
    count,
    limitMs: 10_000,
    rssLimitMiB: 1_024,
    args: ["--seed", String(seed)],
  });
  printReport(`zarr, seed ${seed}`, count, report);
  process.exitCode = report.crashes.length + report.hangs.length + report.untyped.length > 0 ? 1 : 0;
} else {
  const attempt = await makeFuzzer();
  // Mutants of another seed are other numbers of the one sequence.
  const result = (mutant: number): string => {
    try {
      return attempt((seed * 0x1000000 + mutant) >>> 0);
    } catch (error) {
      return `untyped: ${(error as Error).stack}`;
    }
  };
  if (only !== undefined) console.log(result(only));
  else await serveMutants(range!, result);
}
