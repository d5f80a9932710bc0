import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { glob, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import {
  encodeOmeTiff,
  encodePng,
  type ImageInput,
  type MicroscopyImage,
  openImage,
  type Plane,
  resizeBilinear,
  resizeNearest,
  writeOmeZarr,
} from "@cytomesh/microscopy";
import { createObjectStore, toUri } from "@cytomesh/object-store";

// The images that @cytomesh/microscopy reads and writes against tifffile with imagecodecs, zarr-python, imageio and OpenCV.
const python = process.env.CYTOMESH_PYTHON;
const skip = python ? false : "CYTOMESH_PYTHON is not set";
const shared = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../shared/data");
const images = join(shared, "imaging");

interface Level {
  shape: number[];
  planes: string[];
}
interface Answer {
  error?: string;
  series: { axes: string; dtype: string; levels: Level[] }[];
  kind?: string;
  ome?: { channels: (string | null)[]; size: (string | null)[]; units: (string | null)[] }[];
  said?: { multiscales: unknown[] };
}

async function ask(command: string, ...paths: string[]): Promise<Record<string, Answer>> {
  const script = join(import.meta.dirname, "microscopy.py");
  const { stdout } = await promisify(execFile)(python!, [script, command, ...paths], { maxBuffer: 2 ** 28 });
  return JSON.parse(stdout) as Record<string, Answer>;
}

async function workspace(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "interop-microscopy-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const bytesOf = ({ data }: Plane) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const digest = (plane: Plane) => createHash("sha256").update(bytesOf(plane)).digest("hex");

/** All planes of a level, slowest axis first as the series says. */
async function planesOf(image: MicroscopyImage, index: number, level: number): Promise<Level> {
  const { axes, sizes, levels } = image.info.series[index]!;
  const stated = Array.from(axes.replace("I", "T").toLowerCase()).filter((axis) => "tcz".includes(axis));
  const order = [...["t", "c", "z"].filter((axis) => !stated.includes(axis)), ...stated] as (
    | "t"
    | "c"
    | "z"
  )[];
  const planes: string[] = [];
  for (let i = 0; i < sizes.t * sizes.c * sizes.z; i++) {
    const at = { t: 0, c: 0, z: 0 };
    let rest = i;
    for (const axis of order.toReversed()) {
      at[axis] = rest % sizes[axis];
      rest = Math.floor(rest / sizes[axis]);
    }
    planes.push(digest(await image.plane({ series: index, level, ...at })));
  }
  const { width, height } = levels[level]!;
  return { shape: [height, width, ...(sizes.samples > 1 ? [sizes.samples] : [])], planes };
}

/** Every plane of every series and level, and their types. Series may be cut differently; their planes are the same. */
async function compare(path: string, answer: Answer): Promise<void> {
  assert.equal(answer.error, undefined, path);
  await using image = await openImage(path);
  const ours: Level[] = [];
  const smaller: Level[] = [];
  for (const { index, levels } of image.info.series)
    for (let level = 0; level < levels.length; level++)
      (level === 0 ? ours : smaller).push(await planesOf(image, index, level));
  const flat = (levels: Level[]) =>
    levels.flatMap(({ shape, planes }) => planes.map((plane) => `${shape} ${plane}`));
  const theirs = answer.series.map(({ levels }) => levels[0]!);
  // SubIFDs that are images of their own: they come in another order.
  const sorted = basename(path) === "subsubifds.tif";
  const inOrder = (planes: string[]) => (sorted ? planes.toSorted() : planes);
  assert.deepEqual(inOrder(flat(ours)), inOrder(flat(theirs)), path);
  assert.deepEqual(flat(smaller), flat(answer.series.flatMap(({ levels }) => levels.slice(1))), path);
  assert.equal(image.info.series[0]!.pixelType, answer.series[0]!.dtype, path);
  for (const [i, { channels, size, units }] of (answer.ome ?? []).entries()) {
    const series = image.info.series[i]!;
    const named = series.channels.map(({ name }) => name ?? null);
    if (channels.length === named.length) assert.deepEqual(named, channels, path);
    if (size[0] !== null && (units[0] ?? "µm") === "µm")
      assert.equal(series.pixelSizeUm?.x, Number(size[0]), path);
  }
}

test("every image at hand has the pixels, types, axes and names that tifffile and imageio find", {
  skip: skip || (existsSync(images) ? false : `no images in ${images}`),
}, async () => {
  const paths: string[] = [];
  for await (const path of glob(join(images, "**/*.{tif,tiff,svs,png}"))) paths.push(path);
  const files = paths.filter((path) => !path.includes("viv_multifile")).sort();
  assert.ok(files.length > 60);
  const answers = await ask("read", ...files);
  for (const path of files) await compare(path, answers[path]!);
});

test("an image over five files is one, from each of them and from its companion", {
  skip: skip || (existsSync(images) ? false : `no images in ${images}`),
}, async () => {
  const folder = join(images, "viv_multifile");
  const files = [1, 2, 3, 4, 5].map((z) => join(folder, `multifile-Z${z}.ome.tiff`));
  const answers = await ask("read", ...files);
  const single = files.map((path) => answers[path]!.series[0]!.levels[0]!.planes[0]);
  for (const path of [...files, join(folder, "multifile.companion.ome")]) {
    await using image = await openImage(path);
    assert.equal(image.info.series[0]!.sizes.z, 5);
    assert.deepEqual((await planesOf(image, 0, 0)).planes, single, path);
  }
});

test("what tifffile and zarr-python write is read as it was", { skip }, async (t) => {
  const dir = await workspace(t);
  const made = (await ask("make", dir))[dir] as unknown as Record<string, Answer>;
  for (const [path, answer] of Object.entries(made)) {
    await compare(path, answer);
    await using image = await openImage(path);
    assert.deepEqual(image.info.series[0]!.channels[2], { name: "protein", color: "#00ff00" });
    assert.deepEqual(image.info.series[0]!.pixelSizeUm, { x: 0.108, y: 0.108, z: 0.29 });
  }
  const tiffs: string[] = [];
  for await (const path of glob(join(dir, "*.tif"))) tiffs.push(path);
  assert.ok(tiffs.length > 20);
  for (const [path, answer] of Object.entries(await ask("read", ...tiffs))) await compare(path, answer);
});

test("JPEG 2000 of every kind has the pixels that imagecodecs finds", { skip }, async (t) => {
  const dir = await workspace(t);
  const names = (await ask("jpeg2000", dir))[dir] as unknown as string[];
  assert.ok(Array.isArray(names) && names.length > 140, JSON.stringify(names));
  for (const name of names) {
    await using image = await openImage(join(dir, `${name}.tif`));
    const { data } = await image.plane();
    const raw = await readFile(join(dir, `${name}.raw`));
    const expected = new (data.constructor as Uint16ArrayConstructor)(
      raw.buffer,
      raw.byteOffset,
      data.length,
    );
    assert.equal(expected.byteLength, raw.length, name);
    // The lossy transformation of three components is rounded by their order of adding, which compilers choose.
    const allowed = /lossy-.2-3/.test(name) ? 1 : 0;
    const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(data[i]))), 0);
    assert.ok(worst <= allowed, `${name}: ${worst}`);
  }
});

/** Noise on a gradient, reproducible. */
function field(width: number, height: number, samples: number, seed: number): Uint16Array<ArrayBuffer> {
  let state = seed;
  return Uint16Array.from({ length: width * height * samples }, (_, i) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (i * 3 + (state >>> 20)) % 65_536;
  });
}

const input: ImageInput = {
  name: "made <here> & µ",
  pixelType: "uint16",
  sizes: { t: 2, c: 3, z: 2, y: 77, x: 101 },
  channels: [{ name: "DNA & co", color: "#0000ff", emissionNm: 461 }, { name: "ER" }, { name: "protein" }],
  pixelSizeUm: { x: 0.1083, y: 0.1083, z: 0.29 },
  plane: ({ t, c, z }) => ({
    width: 101,
    height: 77,
    samples: 1,
    pixelType: "uint16",
    data: field(101, 77, 1, t * 100 + c * 10 + z),
  }),
};

test("OME-TIFFs written here are read equal by tifffile", { skip }, async (t) => {
  const dir = await workspace(t);
  const variants = [
    { levels: 3, tileSize: 64 },
    { compression: "zstd", bigTiff: true, tileSize: 32, levels: 2, shrink: "nearest" },
    { compression: "none", tileSize: 16 },
  ] as const;
  for (const [i, options] of variants.entries()) {
    const path = join(dir, `written-${i}.ome.tif`);
    await writeFile(path, encodeOmeTiff(input, options));
    const answer = (await ask("read", path))[path]!;
    assert.equal(answer.kind, "ome");
    assert.equal(answer.series[0]!.axes, "TZCYX");
    assert.deepEqual(answer.ome![0]!.channels, ["DNA & co", "ER", "protein"]);
    assert.deepEqual(answer.ome![0]!.size, ["0.1083", "0.1083", "0.29"]);
    const expected = [0, 1].flatMap((t) =>
      [0, 1].flatMap((z) => [0, 1, 2].map((c) => digest(input.plane({ t, c, z }, undefined) as Plane))),
    );
    assert.deepEqual(answer.series[0]!.levels[0]!.planes, expected);
    await compare(path, answer);
  }
});

test("OME-Zarrs written here are read equal by zarr-python", { skip }, async (t) => {
  const dir = await workspace(t);
  const store = createObjectStore();
  t.after(() => store.close());
  for (const [i, sharded] of [false, true].entries()) {
    const path = join(dir, `written-${i}.zarr`);
    await writeOmeZarr(store, toUri(path), input, { sharded, chunkSize: 32, levels: 2 });
    const answer = (await ask("zarr", path))[path]!;
    const expected = [0, 1].flatMap((t) =>
      [0, 1, 2].flatMap((c) => [0, 1].map((z) => digest(input.plane({ t, c, z }, undefined) as Plane))),
    );
    assert.deepEqual(answer.series[0]!.levels[0]!.planes, expected);
    await compare(path, answer);
    await using image = await openImage(path);
    assert.deepEqual(image.info.series[0]!.pixelSizeUm, input.pixelSizeUm);
  }
});

test("PNGs written here are read equal by imageio", { skip }, async (t) => {
  const dir = await workspace(t);
  const planes = new Map<string, Plane>();
  for (const samples of [1, 3, 4])
    for (const pixelType of ["uint8", "uint16"] as const)
      for (const filter of ["none", "sub", "up", "average", "paeth", "adaptive"] as const) {
        const values = field(37, 29, samples, samples);
        const data = pixelType === "uint16" ? values : Uint8Array.from(values);
        const path = join(dir, `${samples}-${pixelType}-${filter}.png`);
        const plane: Plane = { width: 37, height: 29, samples, pixelType, data };
        await writeFile(path, encodePng(plane, { filter, pixelSizeUm: { x: 0.08, y: 0.08 } }));
        planes.set(path, plane);
      }
  const answers = await ask("read", ...planes.keys());
  for (const [path, plane] of planes) {
    const { error, series } = answers[path]!;
    assert.equal(error, undefined);
    // imageio gives 8 bits of what has 16 bits in RGB (Pillow has no such type); those our own reader must find.
    if (plane.samples === 1 || plane.pixelType === "uint8")
      assert.deepEqual(series[0]!.levels[0]!.planes, [digest(plane)], path);
    await using image = await openImage(path);
    assert.equal(digest(await image.plane()), digest(plane), path);
    assert.ok(Math.abs(image.info.series[0]!.pixelSizeUm!.x - 0.08) < 1e-9);
  }
});

test("resizing equals OpenCV without IPP and the written rule bit for bit, OpenCV with IPP within 4 of 65,535", {
  skip,
}, async (t) => {
  const dir = await workspace(t);
  const cases: [string, string, Plane][] = [
    ["u16", "<u2", { width: 600, height: 600, samples: 1, pixelType: "uint16", data: field(600, 600, 1, 5) }],
    [
      "u8",
      "|u1",
      {
        width: 211,
        height: 300,
        samples: 1,
        pixelType: "uint8",
        data: Uint8Array.from(field(211, 300, 1, 6)),
      },
    ],
    [
      "f32",
      "<f4",
      {
        width: 77,
        height: 123,
        samples: 1,
        pixelType: "float32",
        data: Float32Array.from(field(77, 123, 1, 7)),
      },
    ],
    ["rgb", "<u2", { width: 50, height: 61, samples: 3, pixelType: "uint16", data: field(50, 61, 3, 8) }],
  ];
  for (const [name, type, plane] of cases) await writeFile(join(dir, `${name}.npy`), npy(type, plane));
  assert.deepEqual((await ask("resize", dir))[dir], null);
  for (const [name, , plane] of cases)
    for (const factor of [0.206349 / 0.0800885, 0.10833 / 0.0800885, 0.5, 0.37]) {
      const theirs = (kind: string) => readFile(join(dir, `${name}-${factor}-${kind}.raw`));
      const ours = resizeBilinear(plane, factor);
      const exact = plane.pixelType !== "float32" || factor !== 0.5;
      if (exact) assert.ok((await theirs("opencv")).equals(bytesOf(ours)), `${name} ${factor}`);
      assert.ok(
        (await theirs("nearest")).equals(bytesOf(resizeNearest(plane, factor))),
        `${name} ${factor} nearest`,
      );
      if (plane.pixelType !== "uint16") continue;
      if (plane.samples === 1 && factor !== 0.5)
        assert.ok((await theirs("rule")).equals(bytesOf(ours)), `${name} ${factor} rule`);
      const ipp = await theirs("ipp");
      const values = new Uint16Array(ipp.buffer, ipp.byteOffset, ipp.length / 2);
      const worst = values.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - Number(ours.data[i]))),
        0,
      );
      assert.ok(worst <= 4, `${name} ${factor} IPP: ${worst}`);
    }
});

/** numpy's file format, version 1. */
function npy(type: string, { width, height, samples, data }: Plane): Uint8Array {
  const shape = samples > 1 ? `(${height}, ${width}, ${samples})` : `(${height}, ${width})`;
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': ${shape}, }`;
  const head = Buffer.alloc(Math.ceil((text.length + 11) / 64) * 64, " ");
  head.write("\x93NUMPY\x01\x00", 0, "latin1");
  head.writeUInt16LE(head.length - 10, 8);
  head.write(text, 10, "latin1");
  head[head.length - 1] = 10;
  return Buffer.concat([head, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
}
