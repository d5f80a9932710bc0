import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { genes } from "../testing/fake-mesh.ts";
import { casForm, counts, eventually, h5ad, startWorld, type World } from "../testing/world.ts";
import { removeStaleUploads } from "./receive.ts";

const path = "/api/cellarium-cell-operations/annotate-cell-type-summary-statistics-strategy";
const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../../../../shared/data");

let world: World;
let hold: ((signal: AbortSignal) => Promise<void> | void) | undefined;
before(async () => {
  world = await startWorld({ onBatch: (signal) => hold?.(signal) });
});
after(() => world.stop());

const post = (form: FormData, query = path) => fetch(world.url + query, { method: "POST", body: form });

/** Send bytes as a multipart body, whatever they are. */
async function postRaw(body: string | Buffer, type = "multipart/form-data; boundary=xyz"): Promise<Response> {
  return fetch(world.url + path, {
    method: "POST",
    body: new Uint8Array(Buffer.from(body)),
    headers: { "content-type": type },
  });
}

const part = (headers: string, content: string) => `--xyz\r\n${headers}\r\n\r\n${content}\r\n`;

test("malformed forms are refused and leave nothing behind", async () => {
  const fileHeaders =
    'Content-Type: application/octet-stream\r\nContent-Disposition: form-data; name="file"; filename="a.h5ad"';
  const field = part('Content-Disposition: form-data; name="model_name"', "pca");
  const refusals: [string, string | Buffer, number, string?][] = [
    ["not a form", "{}", 415, "application/json"],
    ["no boundary", "", 400, "multipart/form-data"],
    ["no file", `${field}--xyz--\r\n`, 422],
    ["nothing at all", "", 422],
    ["cut off in the file", `${field}${part(fileHeaders, "half").slice(0, -2)}`, 400],
    ["two files", `${field}${part(fileHeaders, "a")}${part(fileHeaders, "b")}--xyz--\r\n`, 422],
    ["file under another name", `${part(fileHeaders.replace('"file"', '"data"'), "a")}--xyz--\r\n`, 422],
    ["prototype", `${part('Content-Disposition: form-data; name="__proto__"', "1")}--xyz--\r\n`, 400],
    [
      "endless field",
      `${part('Content-Disposition: form-data; name="model_name"', "x".repeat(70_000))}--xyz--\r\n`,
      422,
    ],
    ["garbage", "\0\u0001garbage", 400],
  ];
  for (const [what, body, status, type] of refusals) {
    const response = await postRaw(body, type);
    const answer = await response.text();
    assert.equal(response.status, status, `${what}: ${answer}`);
    assert.ok((JSON.parse(answer) as { detail: unknown }).detail, what);
  }
  assert.deepEqual(await world.leftovers(), []);
});

test("an upload that is too large is refused, announced or not", async () => {
  const large = Buffer.alloc(5 * 1024 * 1024);
  const announced = await post(casForm(large));
  assert.equal(announced.status, 413);
  assert.match(((await announced.json()) as { detail: string }).detail, /larger than the 4 ?MiB allowed/);
  const boundary = `--xyz\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n`;
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = httpRequest(world.url + path, {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=xyz", "transfer-encoding": "chunked" },
    });
    request.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("error", reject);
    request.write(boundary);
    request.write(large);
    request.end("\r\n--xyz--\r\n");
  });
  assert.equal(status, 413);
  assert.ok(await eventually(async () => (await world.leftovers()).length === 0));
});

test("a client that leaves in the middle of its upload leaves nothing behind", async () => {
  const [host, port] = world.edge.httpAddress.split(":");
  const socket = connect(Number(port), host);
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=xyz\r\nContent-Length: 100000\r\n\r\n` +
      `--xyz\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nsome bytes`,
  );
  assert.ok(await eventually(async () => (await world.leftovers()).length === 1), "the upload has begun");
  socket.destroy();
  assert.ok(await eventually(async () => (await world.leftovers()).length === 0));
});

test("a client that leaves while its cells are annotated cancels the call behind", async () => {
  let entered = 0;
  hold = async (signal) => {
    entered++;
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  };
  const cancelledBefore = world.seen.cancelled;
  const controller = new AbortController();
  const call = fetch(world.url + path, {
    method: "POST",
    body: casForm(await h5ad()),
    signal: controller.signal,
  });
  assert.ok(await eventually(() => entered === 1));
  controller.abort();
  await assert.rejects(call);
  assert.ok(await eventually(() => world.seen.cancelled === cancelledBefore + 1), "the call is cancelled");
  assert.ok(await eventually(async () => (await world.leftovers()).length === 0), "the file is gone");
  hold = undefined;
});

test("15 uploads at once are all answered, each with its own cells", async () => {
  const calls = Array.from({ length: 15 }, async (_, i) => {
    const cellIds = [`${i}-a`, `${i}-b`];
    const response = await post(casForm(await h5ad({ cellIds })));
    assert.equal(response.status, 200);
    const cells = (await response.json()) as { query_cell_id: string }[];
    assert.deepEqual(
      cells.map((cell) => cell.query_cell_id),
      cellIds,
    );
  });
  await Promise.all(calls);
  assert.deepEqual(await world.leftovers(), []);
});

test("many cells travel in several messages, in order", async () => {
  const before = world.seen.rows.length;
  const response = await post(casForm(await h5ad({ cells: 2_500 })));
  const cells = (await response.json()) as { query_cell_id: string }[];
  assert.deepEqual(
    cells.map((cell) => cell.query_cell_id),
    Array.from({ length: 2_500 }, (_, i) => `cell-${i}`),
  );
  const sent = world.seen.rows.slice(before);
  assert.deepEqual(
    sent.map((rows) => rows.cellIds.length),
    [1_000, 1_000, 500],
  );
  assert.ok(
    sent.every((rows) => rows.totalCounts.length === 0),
    "the file brings no totals",
  );
});

test("rows that fill a message go on in the next", async () => {
  const columns = 20_000;
  const ids = Array.from({ length: columns }, (_, i) => genes[i] ?? `other-${i}`);
  const file = await h5ad({ x: counts(150, columns), var: { index: ids, columns: {} } });
  const before = world.seen.rows.length;
  const response = await post(casForm(file));
  assert.equal(response.status, 200, await response.text());
  const sent = world.seen.rows.slice(before);
  assert.equal(sent.length, 2);
  assert.ok(sent.every((rows) => rows.indices.length + rows.data.length <= 8 * 1024 * 1024));
  assert.equal(
    sent.reduce((sum, rows) => sum + rows.cellIds.length, 0),
    150,
  );
});

test("a service that is away becomes 503, so that clients try again; a fault becomes 500 and keeps its text", async () => {
  const { Code, ConnectError } = await import("@connectrpc/connect");
  const file = await h5ad();
  const answers: [unknown, number, unknown][] = [
    [new ConnectError("starting", Code.Unavailable), 503, "starting"],
    [new ConnectError("later", Code.ResourceExhausted), 503, "later"],
    [new ConnectError("bad rows", Code.InvalidArgument), 400, "bad rows"],
    [new ConnectError("no ontology", Code.FailedPrecondition), 400, "no ontology"],
    [new Error("password=hunter2"), 500, "Error processing request"],
  ];
  for (const [reason, status, detail] of answers) {
    hold = () => {
      throw reason;
    };
    const response = await post(casForm(file));
    assert.deepEqual([response.status, await response.json()], [status, { detail }]);
    assert.equal(response.headers.get("retry-after"), status === 503 ? "5" : null);
  }
  hold = undefined;
});

test("a request that takes too long becomes 503 and stops what it began", async () => {
  const file = await h5ad();
  // On a crowded machine the time may be over before anything has begun: then with more.
  for (const requestTimeoutMs of [1_500, 6_000, 24_000]) {
    let entered = 0;
    const slow = await startWorld({
      limits: { requestTimeoutMs },
      onBatch: (signal) => {
        entered++;
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      },
    });
    try {
      const response = await fetch(slow.url + path, { method: "POST", body: casForm(file) });
      assert.equal(response.status, 503, await response.text());
      assert.ok(await eventually(() => slow.seen.cancelled === entered));
      assert.deepEqual(await slow.leftovers(), []);
    } finally {
      await slow.stop();
    }
    if (entered === 1) return;
  }
  assert.fail("no request got as far as its cells");
});

test("uploads beyond the places wait, and are told to come back when none comes free", async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const narrow = await startWorld({
    limits: { concurrentUploads: 1, queueTimeoutMs: 400 },
    onBatch: () => gate,
  });
  try {
    const file = await h5ad();
    const first = fetch(narrow.url + path, { method: "POST", body: casForm(file) });
    assert.ok(await eventually(() => narrow.seen.annotate.length === 1));
    const second = await fetch(narrow.url + path, { method: "POST", body: casForm(file) });
    assert.equal(second.status, 503);
    release();
    assert.equal((await first).status, 200);
    assert.equal((await fetch(narrow.url + path, { method: "POST", body: casForm(file) })).status, 200);
  } finally {
    await narrow.stop();
  }
});

test("a long answer streams, and one that breaks is cut off instead of looking complete", async () => {
  let batch = 0;
  const broken = await startWorld({
    terms: 200,
    onBatch: () => {
      if (++batch === 2) throw new Error("broke");
    },
  });
  try {
    const ontology = "/api/cellarium-cell-operations/annotate-cell-type-ontology-aware-strategy";
    const whole = await fetch(broken.url + ontology, {
      method: "POST",
      body: casForm(await h5ad({ cells: 200 })),
    });
    assert.equal(whole.headers.get("content-length"), null, "streamed");
    assert.equal(((await whole.json()) as unknown[]).length, 200);
    batch = 0;
    const cut = await fetch(broken.url + ontology, {
      method: "POST",
      body: casForm(await h5ad({ cells: 1_040 })),
    });
    assert.equal(cut.status, 200);
    await assert.rejects(cut.text());
    assert.ok(await eventually(async () => (await broken.leftovers()).length === 0));
  } finally {
    await broken.stop();
  }
});

test("a client that does not read its answer is dropped", async () => {
  const big = await startWorld({ terms: 300, limits: { stallTimeoutMs: 300 } });
  try {
    const [host, port] = big.edge.httpAddress.split(":");
    const socket = connect(Number(port), host);
    const body = Buffer.from(
      await new Response(
        casForm(await h5ad({ cells: 6_000 }), { model_name: "pca", prune_threshold: "0" }),
      ).arrayBuffer(),
    );
    const boundary = body.subarray(2, body.indexOf("\r\n")).toString();
    const ontology = "/api/cellarium-cell-operations/annotate-cell-type-ontology-aware-strategy";
    socket.pause();
    socket.on("error", () => undefined);
    socket.write(
      `POST ${ontology} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=${boundary}\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
    assert.ok(await eventually(() => big.seen.annotate.length === 1), "the answer has begun");
    assert.ok(await eventually(async () => (await big.leftovers()).length === 0), "the upload is let go");
    assert.ok(await eventually(() => big.seen.cancelled === 1));
    socket.destroy();
  } finally {
    await big.stop();
  }
});

test("what a killed process left behind goes, what may still be in use stays", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cytomesh-stale-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const name of ["upload-old", "upload-new", "other-old"]) await mkdir(join(folder, name));
  const long = new Date(Date.now() - 3_600_000);
  for (const name of ["upload-old", "other-old"]) await utimes(join(folder, name), long, long);
  await removeStaleUploads(folder, 60_000);
  assert.deepEqual((await readdir(folder)).sort(), ["other-old", "upload-new"]);
});

test("numbers that JSON has no word for never leave", async () => {
  const wrong = await startWorld({ distance: Number.NaN });
  try {
    const response = await fetch(wrong.url + path, { method: "POST", body: casForm(await h5ad()) });
    assert.equal(response.status, 500);
    assert.deepEqual(await response.json(), { detail: "Error processing request" });
  } finally {
    await wrong.stop();
  }
});

test("damaged files are refused or read, but never a fault of the mesh", async (t) => {
  const folder = join(data, "corrupt/h5ad");
  if (!existsSync(folder)) return t.skip("shared data not present");
  for (const name of await readdir(folder)) {
    const response = await post(casForm(await readFile(join(folder, name))));
    const text = await response.text();
    // None of these files has a gene of the fake model, so that the sound ones are refused too.
    assert.equal(response.status, 400, `${name}: ${text}`);
    assert.doesNotMatch(text, /upload-|\.ts:/, name);
  }
  assert.deepEqual(await world.leftovers(), []);
});
