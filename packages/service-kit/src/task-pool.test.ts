import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createTaskPool, TaskError } from "./task-pool.ts";

const module = new URL("./testing-tasks.fixture.ts", import.meta.url);
const pool = createTaskPool(module, { threads: 1 });
after(() => pool.close());

test("a task runs in a worker thread and answers", async () => {
  assert.equal(await pool.run("double", { value: 21 }), 42);
  assert.equal(pool.threads, 1);
});

test("all progress arrives, in order, before the result", async () => {
  for (const messages of [1, 2, 50, 1_000]) {
    const told: number[] = [];
    await pool.run("chatty", { messages }, { onProgress: ({ i }: { i: number }) => told.push(i) });
    assert.deepEqual(
      told,
      Array.from({ length: messages }, (_, i) => i),
    );
  }
});

test("progress of a failing task arrives before its error", async () => {
  const told: string[] = [];
  await assert.rejects(pool.run("crash", {}, { onProgress: (message: string) => told.push(message) }));
  assert.deepEqual(told, ["about to fail"]);
});

test("an error keeps name, tag, gRPC code, HTTP status, violations and the stack it had in the thread", async () => {
  await assert.rejects(pool.run("refuse", {}), (error) => {
    assert.ok(error instanceof TaskError);
    assert.equal(error.name, "FixtureError");
    assert.equal(error.message, "it is not so");
    assert.equal(error.tag, "not-so");
    assert.equal(error.grpcCode, "invalid_argument");
    assert.equal(error.httpStatus, 400);
    assert.deepEqual(error.violations, [{ field: "a.b", description: "expected a cat" }]);
    assert.match(error.stack ?? "", /testing-tasks\.fixture\.ts/);
    return true;
  });
});

test("an error without a tag is internal", async () => {
  await assert.rejects(pool.run("crash", {}), {
    name: "TypeError",
    message: "x is not a function",
    tag: "internal",
    grpcCode: "internal",
    httpStatus: 500,
  });
});

test("a transferred buffer arrives and is gone from the caller", async () => {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  assert.equal(await pool.run("sum", { bytes }, { transfer: [bytes.buffer] }), 10);
  assert.equal(bytes.byteLength, 0);
});

test("aborting ends a task at its next breath, with the caller's reason, and the thread goes on", async () => {
  const controller = new AbortController();
  const reason = new Error("nobody waits any more");
  const run = pool.run(
    "endless",
    {},
    { signal: controller.signal, onProgress: () => controller.abort(reason) },
  );
  await assert.rejects(run, (error) => error === reason);
  assert.equal(await pool.run("double", { value: 1 }), 2);
});

test("a signal that is aborted already starts nothing", async () => {
  const reason = new Error("too late");
  await assert.rejects(
    pool.run("double", { value: 1 }, { signal: AbortSignal.abort(reason) }),
    (error) => error === reason,
  );
});

test("a task whose caller gives up while it waits for a thread never begins", async () => {
  const gate = new Int32Array(new SharedArrayBuffer(12));
  const held = pool.run("hold", { gate });
  const controller = new AbortController();
  const waiting = pool.run("count", { gate }, { signal: controller.signal });
  controller.abort(new Error("gave up"));
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  await assert.rejects(waiting, /gave up/);
  assert.equal(await held, "released");
  assert.equal(Atomics.load(gate, 2), 0);
});

test("an unknown task is an error, not a hang", async () => {
  await assert.rejects(pool.run("nothing", {}));
});

test("what cannot cross threads is an error, not a hang", async () => {
  await assert.rejects(pool.run("double", { value: () => 1 }), { name: "DataCloneError" });
});
