import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Worker } from "node:worker_threads";
import { createH5, openH5, readBatches, readParallel } from "../index.ts";
import type { DatasetInput, H5Numbers, H5Type } from "../types.ts";
import { endIdle, takeWorkers } from "./pool.ts";

const folder = mkdtempSync(join(tmpdir(), "cytomesh-hdf5-"));
const path = join(folder, "file.h5");
after(() => {
  endIdle();
  rmSync(folder, { recursive: true });
});

const float32: H5Type = { kind: "float", size: 4 };
const int32: H5Type = { kind: "int", size: 4, signed: true };
const int64: H5Type = { kind: "int", size: 8, signed: true };
/** Enough for threads to be asked. */
const rows = 400_000;
const counts = Float32Array.from({ length: rows }, (_, i) => (i % 7 === 0 ? 3 : 1 + ((i * 31) % 5)));
const storages: Record<string, Partial<DatasetInput>> = {
  contiguous: {},
  plain: { chunkRows: 9_999 },
  deflate: { deflate: { level: 1 }, chunkRows: 10_000 },
  deflate6: { deflate: { level: 6 }, shuffle: false },
  lzf: { lzf: true },
  checked: { lzf: true, fletcher32: true, chunkRows: 4_001 },
};

const plainCopy = (values: H5Numbers) =>
  Buffer.from(Buffer.from(values.buffer, values.byteOffset, values.byteLength));

test("rows arrive as the reader gives them, for every kind of storage and any range", async () => {
  const out = createH5(path);
  for (const [name, storage] of Object.entries(storages)) {
    out.dataset(`/${name}`, { type: float32, shape: [rows], ...storage }, counts);
  }
  out.finish();
  const file = await openH5(path);
  for (const name of Object.keys(storages)) {
    for (const [start, end] of [
      [0, rows],
      [9_998, 399_999],
      [5, 6],
      [7, 7],
    ] as const) {
      const values = await readParallel(file, name, { start, end, threads: 2 });
      assert.ok(values instanceof Float32Array && values.buffer instanceof SharedArrayBuffer, name);
      assert.ok(plainCopy(values).equals(plainCopy(counts.subarray(start, end))), `${name} ${start} ${end}`);
    }
  }
  file.close();
});

test("two axes, chunks that cut both, and integers of 8 bytes", async () => {
  const out = createH5(path);
  const wide = BigInt64Array.from({ length: 3_000 * 70 }, (_, i) => BigInt(i) * 1_000_003n - 5n);
  out.dataset("/wide", { type: int64, shape: [3_000, 70], deflate: { level: 1 }, chunkRows: 33 }, wide);
  out.finish();
  const file = await openH5(path);
  const some = await readParallel(file, "/wide", { start: 31, end: 2_999, threads: 2 });
  assert.ok(plainCopy(some).equals(plainCopy(wide.subarray(31 * 70, 2_999 * 70))));
  file.close();
});

test("batches follow each other without gaps and hold whole chunks; memory is used again", async () => {
  const out = createH5(path);
  out.dataset("/d", { type: float32, shape: [rows], deflate: { level: 1 }, chunkRows: 10_000 }, counts);
  out.finish();
  const file = await openH5(path);
  let at = 12_345;
  const buffers = new Set<unknown>();
  for await (const { start, end, values } of readBatches(file, "/d", {
    start: at,
    threads: 2,
    batchBytes: 160_000,
  })) {
    assert.equal(start, at);
    assert.ok(end === rows || end % 40_000 === 0);
    assert.ok(plainCopy(values).equals(plainCopy(counts.subarray(start, end))));
    buffers.add(values.buffer);
    at = end;
  }
  assert.equal(at, rows);
  assert.equal(buffers.size, 2);
  // Who stops early leaves nothing behind that would keep the file open.
  for await (const { start } of readBatches(file, "/d", { batchBytes: 40_000 })) if (start > 0) break;
  file.close();
});

test("an aborted read rejects with the signal's reason", async () => {
  const file = await openH5(path);
  const reason = new Error("enough");
  await assert.rejects(readParallel(file, "/d", { signal: AbortSignal.abort(reason) }), reason);
  const control = new AbortController();
  const reading = readParallel(file, "/d", { signal: control.signal, threads: 2 });
  control.abort(reason);
  await assert.rejects(reading, reason);
  await assert.rejects(async () => {
    const later = new AbortController();
    for await (const _ of readBatches(file, "/d", { signal: later.signal, batchBytes: 40_000 }))
      later.abort(reason);
  }, reason);
  file.close();
});

test("a damaged chunk is named, and the threads go on to serve others", async () => {
  const file = await openH5(path);
  const storage = file.storage(file.dataset("/d"));
  assert.ok(storage?.kind === "chunked");
  const bad = storage.chunks(200_000, 200_001)[0]!;
  const broken = join(folder, "broken.h5");
  const bytes = readFileSync(path);
  bytes.fill(0xff, bad.address, bad.address + 20);
  const fd = openSync(broken, "w");
  writeSync(fd, bytes);
  closeSync(fd);
  const other = await openH5(broken);
  await assert.rejects(readParallel(other, "/d", { threads: 2 }), {
    tag: "corrupt",
    message: /chunk at \[200000\]/,
  });
  const sound = await readParallel(other, "/d", { threads: 2, end: 190_000 });
  assert.ok(plainCopy(sound).equals(plainCopy(counts.subarray(0, 190_000))));
  other.close();
  file.close();
});

test("a thread that dies over its work is an error for who waits, and is not asked again", async () => {
  endIdle();
  const [worker] = takeWorkers(1);
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const coding = { filters: [], elementBytes: 4, chunkBytes: 4 };
  const table = new Float64Array(new SharedArrayBuffer(0));
  const job = { fd: -1, sizeBytes: 0, where: "", coding, contiguous: true, shape: [1], chunkShape: [1] };
  const rest = { start: 0, end: 1, swap: false, table, progress, target: new Uint8Array(4) };
  const answer = worker!.ask({ kind: "read", job: { ...job, ...rest } });
  worker!.end();
  await assert.rejects(answer, { name: "Hdf5Error", message: /decoding thread ended/ });
  const file = await openH5(path);
  const values = await readParallel(file, "/d", { threads: 2 });
  assert.equal(values.length, rows);
  file.close();
});

test("what cannot be read in parallel, or makes no sense, is refused", async () => {
  const out = createH5(path);
  out.dataset("/s", { type: { kind: "string", size: "variable", utf8: true }, shape: [1] }, ["a"]);
  out.dataset("/d", { type: int32, shape: [2] }, Int32Array.of(1, 2));
  out.finish();
  const file = await openH5(path);
  await assert.rejects(readParallel(file, "/s"), { tag: "unsupported" });
  await assert.rejects(readParallel(file, "/d", { start: 1, end: 3 }), { tag: "invalid-argument" });
  await assert.rejects(readParallel(file, "/d", { threads: 0 }), { tag: "invalid-argument" });
  await assert.rejects(readParallel(file, "/nothing"), { tag: "not-found" });
  file.close();
});

test("it works inside a worker thread, too", async () => {
  const out = createH5(path, { threads: 2 });
  const grown = out.appendable("/d", { type: float32, shape: [0], deflate: { level: 1 } });
  for (let i = 0; i < 5; i++) grown.append(counts);
  out.finish();
  const code = `
    import { parentPort, workerData } from "node:worker_threads";
    const { openH5, readParallel } = await import(workerData.door);
    const file = await openH5(workerData.path);
    const values = await readParallel(file, "/d", { threads: 2 });
    file.close();
    parentPort.postMessage(values.reduce((sum, value) => sum + value, 0));`;
  const door = new URL("../index.ts", import.meta.url).href;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    workerData: { door, path },
  });
  const sum = await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
  assert.equal(sum, 5 * counts.reduce((total, value) => total + value, 0));
  await worker.terminate();
});

test("any number of threads writes the same bytes", () => {
  const write = (threads: number): Buffer => {
    const out = createH5(path, { threads });
    const data = out.appendable("/data", { type: float32, shape: [0], deflate: { level: 1 } });
    const indices = out.appendable("/indices", { type: int32, shape: [0], lzf: true, fletcher32: true });
    for (let i = 0; i < 9; i++) {
      data.append(counts.subarray(i * 1_000));
      // Strings take their place in between, whatever is still being encoded.
      out.dataset(`/names-${i}`, { type: { kind: "string", size: "variable", utf8: true }, shape: [2] }, [
        `a${i}`,
        "b",
      ]);
      indices.append(Int32Array.from({ length: 100_000 }, (_, k) => (k * 17) % 36_000));
    }
    out.finish();
    return readFileSync(path);
  };
  const alone = write(1);
  assert.ok(write(2).equals(alone));
  assert.ok(write(4).equals(alone));
});
