// Per core and on the chunks of the synthetic study: our codecs against node:zlib, both in this process.
//
//   node bench/data-plane/codecs.ts [--small]
import { closeSync, openSync, readSync } from "node:fs";
import { constants, deflateSync, inflateSync } from "node:zlib";
import { openH5 } from "@cytomesh/hdf5";
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
