// Per core and on the chunks of the synthetic study: our codecs against node:zlib, both in this process. Then the inflate kernel alone
// against node:zlib by size of chunk, on counts and on an image, into the arena (HDF5) and into memory of its own (zarr).
//
//   node bench/data-plane/codecs.ts [--small]
import { closeSync, openSync, readSync } from "node:fs";
import { constants, deflateSync, inflateSync } from "node:zlib";
import { type Arena, reserve, type Span } from "@cytomesh/codecs";
import { openH5 } from "@cytomesh/hdf5";
import { inflateByKernel } from "../../packages/codecs/src/inflate.ts";
import { decodeChunk } from "../../packages/hdf5/src/codecs/decode-chunk.ts";
import { encodeChunk } from "../../packages/hdf5/src/codecs/encode-chunk.ts";
import { measure } from "./measure.ts";
import { syntheticStudy } from "./study.ts";

interface Chunk {
  stored: Buffer;
  raw: Uint8Array;
}

/** The first chunks of a dataset, as stored and decoded by zlib. */
async function load(path: string, dataset: string, count: number): Promise<Chunk[]> {
  const file = await openH5(path);
  const fd = openSync(path, "r");
  try {
    const info = file.dataset(dataset);
    const storage = file.storage(info);
    if (storage?.kind !== "chunked") throw new Error(`${dataset} is not chunked`);
    const rows = Math.min(info.shape![0]!, count * info.chunks![0]!);
    return storage.chunks(0, rows).map(({ address, bytes }) => {
      const stored = Buffer.alloc(bytes);
      readSync(fd, stored, 0, bytes, address);
      return { stored, raw: inflateSync(stored) };
    });
  } finally {
    closeSync(fd);
    file.close();
  }
}

async function megabytesPerS(chunks: readonly Chunk[], work: (chunk: Chunk) => void): Promise<number> {
  const bytes = chunks.reduce((sum, { raw }) => sum + raw.length, 0);
  const { cpuS } = await measure(() => chunks.forEach(work), 8);
  return bytes / cpuS / 1e6;
}

const rate = (value: number) => `${value.toFixed(0).padStart(5)} MB/s`;
const study = syntheticStudy();
const target = new Uint8Array(64 * 1024 * 1024);

for (const dataset of ["/X/data", "/X/indices"]) {
  const chunks = await load(study.files.gzip, dataset, 200);
  for (const { stored, raw } of chunks) {
    const ours = decodeChunk(stored, [{ id: 1 }], 4, raw.length, 0, dataset);
    if (Buffer.compare(ours, raw) !== 0) throw new Error("our inflate differs from zlib's");
  }
  const zlib = await megabytesPerS(chunks, ({ stored, raw }) =>
    target.set(inflateSync(stored, { chunkSize: raw.length + 64 })),
  );
  const ours = await megabytesPerS(chunks, ({ stored, raw }) =>
    decodeChunk(stored, [{ id: 1 }], 4, raw.length, 0, dataset, target.subarray(0, raw.length)),
  );
  console.log(
    `inflate ${dataset.padEnd(10)} ours ${rate(ours)}  zlib ${rate(zlib)}  ${(ours / zlib).toFixed(2)}x`,
  );

  const pipeline = { shuffle: true, deflateLevel: 1, lzf: false, fletcher32: false, elementBytes: 4 };
  const shuffle = { ...pipeline, deflateLevel: 0 };
  const shuffled = (raw: Uint8Array) => encodeChunk(raw, shuffle).bytes;
  const rle = { level: 1, strategy: constants.Z_RLE };
  const sizes = { ours: 0, zlib: 0 };
  for (const { raw } of chunks) {
    sizes.ours += encodeChunk(raw, pipeline).bytes.length;
    sizes.zlib += deflateSync(shuffled(raw), rle).length;
  }
  const own = await megabytesPerS(chunks, ({ raw }) => void encodeChunk(raw, pipeline));
  const theirs = await megabytesPerS(chunks, ({ raw }) => void deflateSync(shuffled(raw), rle));
  console.log(
    `deflate ${dataset.padEnd(10)} ours ${rate(own)}  zlib level 1 Z_RLE ${rate(theirs)}  ${(own / theirs).toFixed(2)}x, ` +
      `${(sizes.ours / sizes.zlib).toFixed(3)} of its size (our shuffle before both)`,
  );
}

/** A field of cells on a dim, noisy ground, as a camera gives it: 16 bits. */
function image(bytes: number): Uint8Array {
  let state = 7;
  const side = 1024;
  const pixels = Uint16Array.from({ length: bytes / 2 }, (_, i) => {
    state = (state * 48_271) % 2_147_483_647;
    const [y, x] = [Math.floor(i / side), i % side];
    const cell = Math.max(0, Math.sin(x / 23) * Math.sin(y / 31));
    return 300 + cell * cell * 3000 + (state % 32);
  });
  return new Uint8Array(pixels.buffer);
}

type Inflate = (arena: Arena, from: Span, to: number, size: number) => void;
const native: Inflate = (arena, { at, length }, to, size) =>
  arena.bytes.set(inflateSync(arena.bytes.subarray(at, at + length), { chunkSize: size + 64 }), to);

function inArena(stored: Uint8Array, size: number, work: Inflate): Uint8Array {
  const arena = reserve([stored.length, size + 64]);
  const [at, to] = arena.areas as [number, number];
  arena.bytes.set(stored, at);
  work(arena, { at, length: stored.length }, to, size);
  return arena.bytes.subarray(to, to + size);
}

const bytes = 1 << 20;
const counts = Buffer.concat((await load(study.files.gzip, "/X/data", 64)).map(({ raw }) => raw));
for (const [name, data] of [
  ["counts", counts.subarray(0, bytes)],
  ["image", image(bytes)],
] as const) {
  for (const size of [4096, 16_384, 65_536, 262_144]) {
    const chunks: Chunk[] = [];
    for (let at = 0; at + size <= data.length; at += size) {
      const raw = data.subarray(at, at + size);
      chunks.push({ raw, stored: deflateSync(raw, { level: 5 }) });
    }
    const rates = [0, 0, 0, 0];
    // In turns, so that what else the machine does falls on all of them.
    for (let round = 0; round < 4; round++) {
      const works: ((chunk: Chunk) => void)[] = [
        ({ stored }) => inArena(stored, size, inflateByKernel),
        ({ stored }) => inArena(stored, size, native),
        ({ stored }) => inArena(stored, size, inflateByKernel).slice(),
        ({ stored }) => inflateSync(stored, { chunkSize: size + 64 }),
      ];
      for (const [k, work] of works.entries())
        rates[k] = Math.max(rates[k]!, await megabytesPerS(chunks, work));
    }
    const shrinks = (size * chunks.length) / chunks.reduce((sum, { stored }) => sum + stored.length, 0);
    console.log(
      `${name.padEnd(7)} ${String(size >> 10).padStart(4)} KiB, 1/${shrinks.toFixed(1)}: kernel / zlib ` +
        `into the arena ${(rates[0]! / rates[1]!).toFixed(2)}x, into memory ${(rates[2]! / rates[3]!).toFixed(2)}x`,
    );
  }
}
