// What the conversions do to pixels, one thread: node bench/imaging/pixels.ts
//
// Against OpenCV (one thread), numpy, imagecodecs and sharp, in CPU time.
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createMaxProjection,
  cropPlane,
  encodePng,
  maxOverZ,
  openImage,
  type Plane,
  resizeBilinear,
  resizeNearest,
} from "@cytomesh/microscopy";
import sharp from "sharp";
import { measure, measurePython } from "../data-plane/measure.ts";

const folder = join(process.env.CYTOMESH_BENCH_DATA ?? tmpdir(), "cytomesh-bench-imaging");
mkdirSync(folder, { recursive: true });
const factor = 0.206349 / 0.0800885;

/** A field of blobs with camera noise, 600 × 600. */
function field(seed: number): Plane {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const data = Uint16Array.from({ length: 360_000 }, (_, i) => {
    const [x, y] = [i % 600, Math.floor(i / 600)];
    return (
      400 + 900 * Math.max(0, Math.sin(x / 23 + seed) * Math.sin(y / 29)) + 12 * (random() + random() - 1)
    );
  });
  return { width: 600, height: 600, samples: 1, pixelType: "uint16", data };
}

const planes = Array.from({ length: 50 }, (_, i) => field(i + 1));
const first = planes[0]!;
writeFileSync(
  join(folder, "planes.u16"),
  Buffer.concat(planes.map(({ data }) => new Uint8Array(data.buffer))),
);
const crops = Array.from({ length: 300 }, (_, i) =>
  cropPlane(planes[i % 50]!, { x: (i * 37) % 400, y: (i * 53) % 400, width: 128, height: 128 }),
);

/** The planes as a stack in a file. */
const stack = join(folder, "stack.ome.tif");

const room = new Uint16Array(1546 * 1546);

/** A crop as the conversion of OpenCell writes it: two channels, enlarged, and a black one. */
const color = ((): Plane => {
  const [a, b] = [1, 2].map(
    (i) =>
      cropPlane(resizeBilinear(planes[i]!, factor), { x: 300, y: 300, width: 640, height: 640 })
        .data as Uint16Array,
  );
  const data = new Uint16Array(640 * 640 * 3);
  for (let i = 0; i < 640 * 640; i++) [data[3 * i + 1], data[3 * i + 2]] = [a![i]!, b![i]!];
  return { width: 640, height: 640, samples: 3, pixelType: "uint16", data };
})();
writeFileSync(join(folder, "color.u16"), new Uint8Array(color.data.buffer));

const setUp = `
import cv2, imagecodecs, numpy
cv2.setNumThreads(1)
planes = numpy.fromfile(sys.argv[1], dtype="u2").reshape(50, 600, 600)
crops = [planes[i % 50, (i * 53) % 400:(i * 53) % 400 + 128, (i * 37) % 400:(i * 37) % 400 + 128].copy() for i in range(300)]
f = ${factor}
`;
const python = (body: string) =>
  measurePython<number>(`${setUp}\n${body}\nmeasure(work, 10)`, [join(folder, "planes.u16")]);

const rows: [string, number, () => number | Promise<number>, string][] = [
  [
    "resize 600 → 1546, OpenCV without IPP",
    20,
    () => each(20, () => resizeBilinear(first, factor).width),
    "cv2.ipp.setUseIPP(False)\ndef work():\n    for _ in range(20): out = cv2.resize(planes[0], None, fx=f, fy=f)\n    return out.shape[0]",
  ],
  [
    "the same into memory there is",
    20,
    () => each(20, () => resizeBilinear(first, factor, room).width),
    "cv2.ipp.setUseIPP(False)\nroom = numpy.empty((1546, 1546), 'u2')\ndef work():\n    for _ in range(20): out = cv2.resize(planes[0], (1546, 1546), room, f, f)\n    return out.shape[0]",
  ],
  [
    "the same, OpenCV with IPP",
    20,
    () => each(20, () => resizeBilinear(first, factor, room).width),
    "cv2.ipp.setUseIPP(True)\ndef work():\n    for _ in range(20): out = cv2.resize(planes[0], None, fx=f, fy=f)\n    return out.shape[0]",
  ],
  [
    "nearest 600 → 1546, OpenCV",
    20,
    () => each(20, () => resizeNearest(first, factor).width),
    "def work():\n    for _ in range(20): out = cv2.resize(planes[0], None, fx=f, fy=f, interpolation=cv2.INTER_NEAREST)\n    return out.shape[0]",
  ],
  [
    "nearest into memory there is",
    20,
    () => each(20, () => resizeNearest(first, factor, room).width),
    "room = numpy.empty((1546, 1546), 'u2')\ndef work():\n    for _ in range(20): out = cv2.resize(planes[0], (1546, 1546), room, f, f, cv2.INTER_NEAREST)\n    return out.shape[0]",
  ],
  [
    "maximum of 50 planes, numpy",
    1,
    project,
    "def work(): return int(planes.max(axis=0)[300].sum(dtype='u8'))",
  ],
  [
    "maximum over a file's 50 planes, tifffile, numpy",
    1,
    projectFile,
    "import tifffile\ndef work(): return int(tifffile.imread(sys.argv[1].replace('planes.u16', 'stack.ome.tif')).max(axis=0)[300].sum(dtype='u8'))",
  ],
  [
    "300 PNGs of 128², imagecodecs level 1",
    300,
    () => png(1),
    "def work(): return sum(len(imagecodecs.png_encode(c, level=1)) for c in crops)",
  ],
  [
    "300 PNGs of 128², OpenCV",
    300,
    () => png(1),
    "def work(): return sum(len(cv2.imencode('.png', c)[1]) for c in crops)",
  ],
  [
    "5 PNGs of 640² RGB, OpenCV",
    5,
    () => each(5, () => encodePng(color).length),
    "color = numpy.fromfile(sys.argv[1].replace('planes', 'color'), dtype='u2').reshape(640, 640, 3)[:, :, ::-1].copy()\ndef work():\n    for _ in range(5): size = len(cv2.imencode('.png', color)[1])\n    return size",
  ],
  [
    "300 PNGs of 128², level 6, imagecodecs",
    300,
    () => png(6),
    "def work(): return sum(len(imagecodecs.png_encode(c, level=6)) for c in crops)",
  ],
];

function each(times: number, work: () => number): number {
  let last = 0;
  for (let i = 0; i < times; i++) last = work();
  return last;
}

function project(): number {
  const projection = createMaxProjection();
  for (const plane of planes) projection.add(plane);
  const row = (projection.result().data as Uint16Array).subarray(300 * 600, 301 * 600);
  return row.reduce((sum, value) => sum + value, 0);
}

async function projectFile(): Promise<number> {
  await using image = await openImage(stack);
  const row = ((await maxOverZ(image)).data as Uint16Array).subarray(300 * 600, 301 * 600);
  return row.reduce((sum, value) => sum + value, 0);
}

function png(level: number): number {
  return crops.reduce((sum, crop) => sum + encodePng(crop, { level }).length, 0);
}

measurePython(
  `${setUp}\nimport tifffile\nmeasure(lambda: tifffile.imwrite(sys.argv[2], planes, metadata={'axes': 'ZYX'}), 1)`,
  [join(folder, "planes.u16"), stack],
);
console.log(
  `${"".padEnd(48)} ${"cytomesh".padStart(10)} ${"other".padStart(10)} ${"ratio".padStart(7)}   (CPU ms each)`,
);
const print = (name: string, times: number, ours: number, theirs: number, note: string) =>
  console.log(
    `${name.padEnd(48)} ${((ours * 1e3) / times).toFixed(3).padStart(10)} ${((theirs * 1e3) / times).toFixed(3).padStart(10)} ${(theirs / ours).toFixed(2).padStart(7)}   ${note}`,
  );
for (const [name, times, work, code] of rows) {
  const ours = await measure(work, 10);
  const theirs = python(code);
  const isPng = name.includes("PNG");
  if (!isPng && ours.result !== theirs.result)
    throw new Error(`${name}: ${ours.result} and ${theirs.result}`);
  print(name, times, ours.cpuS, theirs.cpuS, isPng ? `bytes ${ours.result} and ${theirs.result}` : "");
}
const bySharp = await measure(async () => {
  let sum = 0;
  for (const { data } of crops) {
    const raw = { width: 128, height: 128, channels: 1 } as const;
    const bytes = await sharp(data as Uint16Array, { raw })
      .toColourspace("grey16")
      .png({ compressionLevel: 1 })
      .toBuffer();
    sum += bytes.length;
  }
  return sum;
}, 4);
const ours = await measure(() => png(1), 6);
print(
  "300 PNGs of 128², sharp level 1",
  300,
  ours.cpuS,
  bySharp.cpuS,
  `bytes ${ours.result} and ${bySharp.result}`,
);
