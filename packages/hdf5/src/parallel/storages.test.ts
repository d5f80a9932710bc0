import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { encodeChunk, filterSpecs } from "../codecs/encode-chunk.ts";
import { openH5, readBatches, readParallel } from "../index.ts";
import { type CraftedChunk, type CraftedDataset, craft, craftDataset } from "../testing/craft.ts";
import type { H5Numbers } from "../types.ts";
import { undefinedAddress } from "../write/byte-writer.ts";
import { datasetMessages } from "../write/messages.ts";
import { fillWith } from "./fill.ts";
import { endIdle } from "./pool.ts";
import { swapBytes } from "./read-job.ts";

/** Storage that our writer does not make, against a model that picks elements one by one. */

const folder = mkdtempSync(join(tmpdir(), "cytomesh-hdf5-storages-"));
const path = join(folder, "file.h5");
after(() => {
  endIdle();
  rmSync(folder, { recursive: true });
});

type NumberType = CraftedDataset["type"];

const numberTypes = {
  i1: { kind: "int", size: 1, signed: true },
  u2: { kind: "int", size: 2, signed: false },
  i4: { kind: "int", size: 4, signed: true },
  i8: { kind: "int", size: 8, signed: true },
  f2: { kind: "float", size: 2 },
  f4: { kind: "float", size: 4 },
  f8: { kind: "float", size: 8 },
} satisfies Record<string, NumberType>;

interface Chunked {
  type: NumberType;
  bigEndian: boolean;
  shape: readonly number[];
  chunks: readonly number[];
  /** One element in the order of the machine. */
  fill: Uint8Array | undefined;
  pipeline: { shuffle: boolean; deflate: boolean; lzf: boolean; fletcher32: boolean };
  /** Per chunk, used over and over: which filters to leave out, or undefined for a chunk that is not there. */
  masks: readonly (number | undefined)[];
}

/** Writes it and gives what must be read: elements in the order of the machine. */
function write(dataset: Chunked): Uint8Array {
  const { type, bigEndian, shape, chunks, fill, pipeline, masks } = dataset;
  const { size } = type;
  const count = shape.reduce((product, dim) => product * dim, 1);
  const expected = new Uint8Array(count * size);
  const counts = shape.map((dim, axis) => Math.ceil(dim / chunks[axis]!));
  const total = counts.reduce((product, n) => product * n, 1);
  const chunkBytes = chunks.reduce((product, dim) => product * dim, size);
  const specs = filterSpecs(
    { ...pipeline, deflateLevel: pipeline.deflate ? 1 : 0, elementBytes: size },
    chunkBytes,
  );
  const stored: CraftedChunk[] = [];
  for (let number = 0; number < total; number++) {
    const offset = unravel(number, counts).map((at, axis) => at * chunks[axis]!);
    const mask = masks[number % masks.length];
    // Padding at the edges is noise, as it may be in files.
    const raw = Uint8Array.from({ length: chunkBytes }, (_, i) => (number * 31 + (i % 13) * 7) & 0x7b);
    const width = chunks.at(-1)!;
    for (let line = 0; line < chunkBytes / size / width; line++) {
      const first = unravel(line * width, chunks).map((inside, axis) => inside + offset[axis]!);
      if (first.some((position, axis) => position >= shape[axis]!)) continue;
      const inside = Math.min(width, shape.at(-1)! - first.at(-1)!) * size;
      const elements = raw.slice(line * width * size, line * width * size + inside);
      if (bigEndian) swapBytes(elements, size);
      if (mask === undefined) fillWith(elements, fill);
      const to = first.reduce((place, position, axis) => place * shape[axis]! + position, 0) * size;
      expected.set(elements, to);
    }
    if (mask === undefined) continue;
    const kept = (id: number) => {
      const k = specs.findIndex((spec) => spec.id === id);
      return k >= 0 && (mask & (1 << k)) === 0;
    };
    const encoded = encodeChunk(raw, {
      shuffle: kept(2),
      deflateLevel: kept(1) ? 1 : 0,
      lzf: kept(32000),
      fletcher32: kept(3),
      elementBytes: size,
    });
    // What LZF cannot shrink it leaves out by itself.
    const lzf = specs.findIndex(({ id }) => id === 32000);
    const left = encoded.filterMask === 0 ? 0 : 1 << lzf;
    stored.push({ offset, stored: encoded.bytes.slice(), mask: (mask & (2 ** specs.length - 1)) | left });
  }
  const fillValue = fill?.slice();
  if (bigEndian) fillValue?.reverse();
  const data = { layout: "chunked", chunks, filters: specs, stored } as const;
  craftDataset(path, { type, bigEndian, shape, fillValue, data });
  return expected;
}

function unravel(number: number, counts: readonly number[]): number[] {
  const at = counts.map(() => 0);
  for (let axis = counts.length - 1, rest = number; axis >= 0; axis--) {
    at[axis] = rest % counts[axis]!;
    rest = Math.floor(rest / counts[axis]!);
  }
  return at;
}

function bytesOf(values: H5Numbers): Buffer {
  return Buffer.from(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
}

/** The expected bytes as they arrive: halves are widened. */
function arriving(expected: Uint8Array, type: NumberType): Buffer {
  if (type.kind !== "float" || type.size !== 2) return Buffer.from(expected);
  return bytesOf(Float32Array.from(new Float16Array(expected.slice().buffer)));
}

async function check(dataset: Pick<Chunked, "type" | "shape">, expected: Uint8Array, rows: [number, number]) {
  const { type, shape } = dataset;
  const rowBytes = expected.length / shape[0]!;
  const [start, end] = rows;
  const wanted = arriving(expected.subarray(start * rowBytes, end * rowBytes), type);
  const file = await openH5(path, { engine: "native" });
  assert.ok(bytesOf(file.read(file.dataset("/d"), start, end) as H5Numbers).equals(wanted), "read");
  for (const threads of [1, 2]) {
    const values = await readParallel(file, "/d", { start, end, threads });
    assert.ok(bytesOf(values).equals(wanted), `${threads} threads`);
  }
  const parts: Buffer[] = [];
  for await (const { values } of readBatches(file, "/d", { start, end, batchBytes: rowBytes * 2 }))
    parts.push(bytesOf(values));
  assert.ok(Buffer.concat(parts).equals(wanted), "in batches");
  file.close();
}

const anyDataset = fc
  .record({
    type: fc.constantFrom(...Object.values(numberTypes)),
    bigEndian: fc.boolean(),
    axes: fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 12 })), {
      minLength: 1,
      maxLength: 3,
    }),
    fill: fc.option(fc.uint8Array({ minLength: 8, maxLength: 8 }), { nil: undefined }),
    pipeline: fc.record({
      shuffle: fc.boolean(),
      deflate: fc.boolean(),
      lzf: fc.boolean(),
      fletcher32: fc.boolean(),
    }),
    masks: fc.array(fc.option(fc.nat(15), { nil: undefined }), { minLength: 1, maxLength: 7 }),
    range: fc.tuple(fc.nat(9), fc.nat(9)),
  })
  .filter(({ axes }) => axes.reduce((product, [dim, chunk]) => product * Math.ceil(dim / chunk), 1) <= 64);

test("any chunk shape, byte order, fill value and mix of left-out filters is read as it stands there", async () => {
  await fc.assert(
    fc.asyncProperty(anyDataset, async ({ axes, fill, pipeline, range, ...rest }) => {
      const shape = axes.map(([dim]) => dim);
      const dataset = {
        ...rest,
        shape,
        chunks: axes.map(([, chunk]) => chunk),
        // Not a NaN: widening one may change its payload.
        fill: fill?.slice(0, rest.type.size).map((byte) => byte & 0x7b),
        // A dataset has one of the two at most.
        pipeline: { ...pipeline, lzf: pipeline.lzf && !pipeline.deflate },
      };
      const rows = range.map((row) => Math.min(row, shape[0]!)).sort((a, b) => a - b) as [number, number];
      await check(dataset, write(dataset), rows);
    }),
    { numRuns: 150 },
  );
});

const pipelines = {
  plain: { shuffle: false, deflate: false, lzf: false, fletcher32: false },
  deflate: { shuffle: true, deflate: true, lzf: false, fletcher32: true },
  lzf: { shuffle: false, deflate: false, lzf: true, fletcher32: false },
};
/** Big enough for threads to be asked. */
const large = [1_000, 300] as const;
const shapes: Record<string, [number, number]> = {
  "rows of chunks": [90, 300],
  "columns of chunks": [1_000, 37],
  "both cut": [170, 67],
  "one chunk, larger than the dataset": [1_024, 310],
};

for (const [what, chunks] of Object.entries(shapes)) {
  test(`threads share ${what}: either byte order, some chunks and some filters missing`, async () => {
    for (const bigEndian of [false, true]) {
      for (const pipeline of Object.values(pipelines)) {
        const type = numberTypes.i4;
        const fill = Uint8Array.of(1, 2, 3, 4);
        const whole: Chunked = { type, bigEndian, shape: large, chunks, fill, pipeline, masks: [0] };
        const masks = [0, undefined, 1, 2, 3, 4, 7, undefined];
        for (const dataset of [whole, { ...whole, masks }]) {
          const expected = write(dataset);
          await check(dataset, expected, [0, large[0]]);
          await check(dataset, expected, [89, 991]);
        }
      }
    }
  });
}

test("contiguous, compact and never written data, in either byte order", async () => {
  const shape = [30, 20];
  for (const type of Object.values(numberTypes)) {
    for (const bigEndian of [false, true]) {
      const stored = Uint8Array.from({ length: 600 * type.size }, (_, i) => (i * 37 + (i >> 5)) & 0x7b);
      const expected = stored.slice();
      if (bigEndian) swapBytes(expected, type.size);
      for (const layout of ["contiguous", "compact"] as const) {
        craftDataset(path, { type, bigEndian, shape, data: { layout, bytes: stored } });
        await check({ type, shape }, expected, [0, 30]);
        await check({ type, shape }, expected, [7, 23]);
      }
      const fillValue = stored.slice(3 * type.size, 4 * type.size);
      craftDataset(path, { type, bigEndian, shape, fillValue, data: { layout: "none" } });
      if (bigEndian) fillValue.reverse();
      await check(
        { type, shape },
        Uint8Array.from(expected, (_, i) => fillValue[i % type.size]!),
        [2, 29],
      );
      craftDataset(path, { type, bigEndian, shape, data: { layout: "none" } });
      await check({ type, shape }, new Uint8Array(expected.length), [0, 30]);
    }
  }
});

test("batches of chunks that are tall and narrow stay small", async () => {
  // All of it is fill value: 800 MB declared, nothing stored.
  const shape = [400_000, 500];
  craft(path, () =>
    datasetMessages(
      numberTypes.f4,
      shape,
      { kind: "chunked", index: undefinedAddress, chunks: [400_000, 10], elementBytes: 4 },
      [{ id: 1, values: [1] }],
      false,
    ),
  );
  // A file may not declare more than its size can hold; zeros at the end make it large without taking room.
  writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(1_000_000)]));
  const file = await openH5(path, { engine: "native" });
  let rows = 0;
  for await (const { start, end, values } of readBatches(file, "/d", { threads: 1 })) {
    assert.equal(start, rows);
    assert.ok(values.byteLength <= 128 * 2 ** 20, `${values.byteLength} bytes`);
    rows = end;
    if (rows > 100_000) break;
  }
  assert.equal(rows % Math.floor((128 * 2 ** 20) / 2_000), 0);
  file.close();
});

test("one call holds no more than the reader may", async () => {
  craftDataset(path, {
    type: numberTypes.f4,
    bigEndian: false,
    shape: [1_000],
    data: { layout: "contiguous", bytes: new Uint8Array(4_000) },
  });
  const file = await openH5(path, { maxBytes: 2_000 });
  await assert.rejects(readParallel(file, "/d"), { tag: "too-large", message: /takes 4000 bytes/ });
  assert.equal((await readParallel(file, "/d", { start: 500 })).length, 500);
  file.close();
});

test("of no rows no index is looked at, as in reading by one thread", async () => {
  for (const rows of [0, 10]) {
    craft(path, () =>
      datasetMessages(
        numberTypes.i4,
        [rows, 3],
        { kind: "chunked", index: 64, chunks: [2, 3], elementBytes: 4 },
        [],
        false,
      ),
    );
    const file = await openH5(path, { engine: "native" });
    assert.deepEqual(file.read(file.dataset("/d"), 0, 0), new Int32Array(0));
    assert.deepEqual(await readParallel(file, "/d", { end: 0 }), new Int32Array(0));
    file.close();
  }
});

test("damage is found as in reading by one thread: short data, chunks that are mostly padding", async () => {
  const short = { type: numberTypes.f4, bigEndian: false, shape: [100] } as const;
  craftDataset(path, { ...short, data: { layout: "compact", bytes: new Uint8Array(399) } });
  let file = await openH5(path, { engine: "native" });
  await assert.rejects(readParallel(file, "/d"), { tag: "corrupt", message: /399 bytes are stored/ });
  file.close();
  craft(path, () =>
    datasetMessages(
      numberTypes.i1,
      [4_000, 1],
      { kind: "chunked", index: 64, chunks: [1, 4_000_000], elementBytes: 1 },
      [],
      false,
    ),
  );
  file = await openH5(path, { engine: "native" });
  await assert.rejects(readParallel(file, "/d"), { tag: "too-large", message: /chunks of shape/ });
  file.close();
});
