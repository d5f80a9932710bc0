// Decoding TIFFs, one thread: node bench/imaging/read.ts [PART OF A KIND'S NAME]
//
// 12 planes of 1,024 × 1,024 uint16 (a smooth field with camera noise), in each kind of file that tifffile writes. Both sides open the file
// and decode every plane; the sums of all values must agree. Ours twice: into new memory for each plane, and into the same one (tifffile
// gets memory that it freed before back from malloc; V8 frees late and gives it to the system).
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openImage, type PixelArray } from "@cytomesh/microscopy";
import { measure, measurePython } from "../data-plane/measure.ts";

const folder = join(process.env.CYTOMESH_BENCH_DATA ?? tmpdir(), "cytomesh-bench-imaging");
const planes = 12;
const megabytes = (planes * 1024 * 1024 * 2) / 1e6;

const make = `
import numpy, sys, tifffile
folder = sys.argv[1]
random = numpy.random.default_rng(1)
y, x = numpy.mgrid[0:1024, 0:1024]
stack = numpy.stack([500 + 400 * numpy.sin(x / 90 + k) * numpy.cos(y / 70) + 300 * (random.random((1024, 1024)) > 0.995) + random.normal(0, 8, (1024, 1024)) for k in range(${planes})]).clip(0).astype("u2")
kinds = {
  "none": {}, "none, big-endian": {"byteorder": ">"}, "none, tiles": {"tile": (512, 512)},
  "deflate": {"compression": "adobe_deflate"}, "deflate, predictor": {"compression": "adobe_deflate", "predictor": True},
  "deflate, predictor, tiles": {"compression": "adobe_deflate", "predictor": True, "tile": (256, 256)},
  "LZW": {"compression": "lzw"}, "LZW, predictor": {"compression": "lzw", "predictor": True},
  "zstd": {"compression": "zstd"}, "zstd, predictor": {"compression": "zstd", "predictor": True}, "PackBits": {"compression": "packbits"},
  "JPEG 2000, tiles": {"compression": "jpeg2000", "tile": (256, 256), "compressionargs": {"resolutions": 6}},
  "JPEG 2000, lossy, tiles": {"compression": "jpeg2000", "tile": (256, 256), "compressionargs": {"level": 76, "reversible": False}},
}
kinds = {name: options for name, options in kinds.items() if sys.argv[2] in name}
for name, options in kinds.items():
    tifffile.imwrite(f"{folder}/{name}.tif", stack, photometric="minisblack", **options)
def work(): return list(kinds)
measure(work, 1)
`;

const read = `
import numpy, tifffile
path = sys.argv[1]
def work():
    with tifffile.TiffFile(path) as file:
        return sum(page.asarray(maxworkers=1).size for page in file.pages)
total = int(tifffile.imread(path).sum(dtype="u8"))
measure(lambda: work() and total, int(sys.argv[2]))
`;

async function decode(path: string, each: (values: Uint16Array) => void, into?: PixelArray): Promise<number> {
  await using image = await openImage(path, { limits: { cacheBytes: 0 } });
  const { sizes } = image.info.series[0]!;
  let pixels = 0;
  for (let t = 0; t < sizes.t; t++)
    for (let z = 0; z < sizes.z; z++) {
      const { data } = await image.plane({ t, z }, { into });
      pixels += data.length;
      each(data as Uint16Array);
    }
  return pixels;
}

async function sumOf(path: string): Promise<number> {
  let sum = 0;
  await decode(path, (values) => {
    for (const value of values) sum += value;
  });
  return sum;
}

mkdirSync(folder, { recursive: true });
const kinds = measurePython<string[]>(make, [folder, process.argv[2] ?? ""]).result;
console.log(`decoded MB per CPU second of ${megabytes.toFixed(0)} MB\n`);
const cell = (text: string) => text.padStart(11);
console.log(
  `${"kind".padEnd(28)}${["new memory", "the same", "tifffile", "ratio", "ratio"].map(cell).join("")}`,
);
const room = new Uint16Array(1024 * 1024);
for (const kind of kinds) {
  const path = join(folder, `${kind}.tif`);
  if (!existsSync(path)) continue;
  const rounds = kind.startsWith("JPEG 2000") ? 2 : 5;
  const fresh = await measure(() => decode(path, () => {}), rounds);
  const kept = await measure(() => decode(path, () => {}, room), rounds);
  const theirs = measurePython<number>(read, [path, String(rounds)]);
  const sum = await sumOf(path);
  if (sum !== theirs.result) throw new Error(`${kind}: sums differ, ${sum} and ${theirs.result}`);
  const rates = [fresh, kept, theirs].map(({ cpuS }) => (megabytes / cpuS).toFixed(0));
  const ratios = [fresh, kept].map(({ cpuS }) => (theirs.cpuS / cpuS).toFixed(2));
  console.log(`${kind.padEnd(28)}${[...rates, ...ratios].map(cell).join("")}`);
}
