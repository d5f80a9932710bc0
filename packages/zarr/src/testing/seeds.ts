import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { naiveBlosc } from "@cytomesh/codecs/testing";
import { createZarr } from "../write/writer.ts";
import { json } from "./memory-store.ts";
import { naiveZarr } from "./naive.ts";

/** Small hierarchies of every kind, as objects by key: what mutants are made from. */
export async function seedHierarchies(): Promise<{ name: string; objects: Map<string, Uint8Array> }[]> {
  const array = { shape: [7, 5], values: Array.from({ length: 35 }, (_, i) => i / 3) };
  const seeds = [
    {
      name: "v2",
      objects: naiveZarr(array, { format: 2, chunks: [3, 2], fill: 0, compress: "zlib", transpose: [1, 0] }),
    },
    {
      name: "v3",
      objects: naiveZarr(array, {
        format: 3,
        chunks: [3, 2],
        fill: Number.NaN,
        compress: "zstd",
        checksum: true,
        transpose: [1, 0],
      }),
    },
    {
      name: "shards",
      objects: naiveZarr(array, {
        format: 3,
        chunks: [2, 2],
        chunksPerShard: [2, 3],
        fill: 0,
        compress: "gzip",
      }),
    },
    {
      name: "first",
      objects: naiveZarr(array, {
        format: 3,
        chunks: [2, 2],
        chunksPerShard: [2, 3],
        fill: 0,
        indexAt: "start",
      }),
    },
    { name: "blosc", objects: bloscArrays() },
  ];
  return seeds;
}

/** Codecs and types that the model does not write. */
function bloscArrays(): Map<string, Uint8Array> {
  const objects = new Map<string, Uint8Array>([[".zgroup", json({ zarr_format: 2 })]]);
  const numbers = new Uint8Array(Float32Array.from({ length: 600 }, (_, i) => i % 17).buffer);
  const put = (name: string, doc: object, chunk: Uint8Array, elements: number) => {
    const rest = {
      zarr_format: 2,
      shape: [elements],
      chunks: [elements],
      order: "C",
      fill_value: 0,
      filters: null,
      compressor: null,
    };
    objects.set(`${name}/.zarray`, json({ ...rest, ...doc }));
    objects.set(`${name}/.zattrs`, json({ name, list: ["a", "b"] }));
    objects.set(`${name}/0`, chunk);
  };
  for (const codec of ["blosclz", "lz4", "zlib", "zstd"] as const) {
    const chunk = naiveBlosc(numbers, {
      codec,
      shuffle: codec === "lz4" ? "bits" : "bytes",
      typeBytes: 4,
      blockBytes: 1024,
    });
    put(
      codec,
      { dtype: "<f4", compressor: { id: "blosc", cname: codec, clevel: 5, shuffle: 1, blocksize: 0 } },
      chunk,
      600,
    );
  }
  const texts = Buffer.concat([
    Buffer.from([2, 0, 0, 0, 1, 0, 0, 0]),
    Buffer.from("a"),
    Buffer.from([2, 0, 0, 0]),
    Buffer.from("bc"),
  ]);
  put("texts", { dtype: "|O", filters: [{ id: "vlen-utf8" }] }, new Uint8Array(texts), 2);
  put("delta", { dtype: "<i4", filters: [{ id: "delta", dtype: "<i4" }] }, numbers.slice(0, 40), 10);
  put(
    "records",
    {
      dtype: [
        ["a", ">i2"],
        ["b", "<U2"],
      ],
      fill_value: null,
    },
    numbers.slice(0, 30),
    3,
  );
  return objects;
}

/** A zip as our writer makes it: groups, shards, strings, consolidated metadata. */
export async function seedZip(): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), "zarr-seed-"));
  try {
    const path = join(folder, "seed.zip");
    const out = createZarr(path, { shardBytes: 400 });
    out.group("/g", { "encoding-type": "dict", n: 3 });
    const rows = Float32Array.from({ length: 90 }, (_, i) => i % 7);
    await out.array("/g/x", { type: { kind: "float", size: 4 }, shape: [30, 3], chunkRows: 8 }, rows);
    await out.array("/g/names", { type: { kind: "string" }, shape: [3] }, ["a", "bb", "ccc"]);
    await out.finish();
    return new Uint8Array(readFileSync(path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
