// Damages TIFFs and reads a plane of every series and level: node bench/fuzz/tiff.ts [MUTANTS] [--seed N] [--only MUTANT] [--jpeg2000]
//
// Seeds: what our writer makes, JPEG 2000 (with --jpeg2000 nothing else), and the real files below CYTOMESH_TEST_DATA. Every mutant must be
// read, or refused with an error of the package, in bounded time and memory.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { encodeOmeTiff, MicroscopyError, openImageBytes } from "@cytomesh/microscopy";
import { createJpeg2000Encoder } from "../../packages/microscopy/src/testing/jpeg2000.ts";
import { buildTiff } from "../../packages/microscopy/src/testing/tiff-builder.ts";
import { mutate, randomFrom } from "./mutate.ts";
import { childRange, fuzz, fuzzArguments, printReport, serveMutants } from "./run.ts";

const { count, seed, only, jpeg2000: onlyJpeg2000 } = fuzzArguments(4_000);
const images = join(
  process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../shared/data"),
  "imaging",
);
const limits = { maxPlaneBytes: 2 ** 24, maxSegmentBytes: 2 ** 24, maxPages: 10_000, cacheBytes: 0 };

async function written(compression: "none" | "deflate" | "zstd"): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const plane = {
    width: 40,
    height: 30,
    samples: 1,
    pixelType: "uint16" as const,
    data: Uint16Array.from({ length: 1_200 }, (_, i) => i * 37),
  };
  const input = {
    pixelType: "uint16" as const,
    sizes: { t: 1, c: 2, z: 2, y: 30, x: 40 },
    plane: () => plane,
  };
  for await (const part of encodeOmeTiff(input, { compression, tileSize: 16, levels: 2 })) parts.push(part);
  return Buffer.concat(parts);
}

/** Grey tiles, RGB strips, lossy, signed, and planes. */
async function jpeg2000(): Promise<Buffer[]> {
  const encode = await createJpeg2000Encoder();
  const plain = {
    width: 70,
    height: 50,
    samples: 1,
    bits: 16,
    format: 1,
    littleEndian: true,
    big: false,
  } as const;
  const more = { compression: 34712, predictor: 1, separate: false, tile: 32, rows: 20, encode } as const;
  const lossy: typeof encode = (pixels, size) => encode(pixels, size, { ratio: 8 });
  const signed: typeof encode = (pixels, size) => encode(pixels, size, { signed: true });
  const pixels = Uint8Array.from({ length: 70 * 50 * 6 }, (_, i) => 128 + 100 * Math.sin(i / 37) + (i % 7));
  const shapes = [
    {},
    { samples: 3, bits: 8, tile: 0, compression: 33003 },
    { tile: 0, encode: lossy },
    { format: 2, encode: signed, littleEndian: false },
    { samples: 2, separate: true, big: true },
  ] as const;
  return shapes.map((shape) => Buffer.from(buildTiff({ ...plain, ...more, ...shape }, [{ pixels }])));
}

/** Where codestreams begin, and their COD and SOT markers. Their numbers are big-endian. */
function codestreamMarks(file: Buffer): number[] {
  const marks: number[] = [];
  for (const marker of ["ff4fff51", "ff52000c", "ff90000a"])
    for (let at = file.indexOf(marker, 0, "hex"); at >= 0; at = file.indexOf(marker, at + 1, "hex"))
      marks.push(at);
  return marks;
}

function atHand(): Buffer[] {
  try {
    return ["", "tiff_variants"].flatMap((folder) =>
      readdirSync(join(images, folder))
        .filter((name) => /\.tiff?$/.test(name))
        .map((name) => join(images, folder, name))
        .filter((path) => statSync(path).size < 120_000)
        .sort()
        .map((path) => readFileSync(path)),
    );
  } catch {
    return [];
  }
}

async function attemptOf(): Promise<(mutant: number) => Promise<string>> {
  const coded = await jpeg2000();
  const seeds = onlyJpeg2000
    ? coded
    : [await written("none"), await written("deflate"), await written("zstd"), ...coded, ...atHand()];
  return async (mutant) => {
    const random = randomFrom(seed * 1_000_003 + mutant);
    const original = seeds[mutant % seeds.length]!;
    // Directories lie at the beginning or at the end.
    const marks = [0, Math.max(0, original.length - 64), Math.max(0, original.length - 256)];
    if (onlyJpeg2000) marks.push(...codestreamMarks(original));
    const bigEndian = original[0] === 0x4d || (onlyJpeg2000 && random() < 0.5);
    const { bytes } = mutate(original, random, { marks, bigEndian });
    try {
      await using image = await openImageBytes(bytes, `mutant ${mutant}`, { limits });
      for (const { index, levels, sizes } of image.info.series.slice(0, 8))
        for (let level = 0; level < Math.min(4, levels.length); level++)
          await image.plane({ series: index, level, t: sizes.t - 1, c: sizes.c - 1, z: sizes.z - 1 });
      return "read";
    } catch (error) {
      return error instanceof MicroscopyError ? error.tag : `untyped: ${(error as Error).stack}`;
    }
  };
}

const range = childRange();
if (range !== undefined) await serveMutants(range, await attemptOf());
else if (only !== undefined) console.log(await (await attemptOf())(only));
else {
  const report = await fuzz(import.meta.filename, {
    count,
    limitMs: 5_000,
    rssLimitMiB: 768,
    args: [String(count), "--seed", String(seed), ...(onlyJpeg2000 ? ["--jpeg2000"] : [])],
  });
  printReport(`TIFF, seed ${seed}`, count, report);
  process.exitCode = report.hangs.length + report.crashes.length + report.untyped.length === 0 ? 0 : 1;
}
