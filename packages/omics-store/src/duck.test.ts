import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import test from "node:test";
import { type Duck, openDuck } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";

const spillFolders = async (): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith(`cytomesh-duckdb-${process.pid}-`));

/** More than the memory given, so that it must spill. */
const fill = (duck: Duck, salt: number): Promise<void> =>
  duck.run(`CREATE TABLE t AS SELECT range AS x, md5((range + ${salt})::VARCHAR) AS s FROM range(400000)`);

test("instances that spill at the same time do not read each other's blocks, and leave nothing behind", async () => {
  const options = { memoryBytes: 12 * 1024 ** 2 };
  const [a, b] = [await openDuck(options), await openDuck(options)];
  const look = async (duck: Duck): Promise<string[]> =>
    (await duck.rows("SELECT sum(x)::VARCHAR, bit_xor(hash(s))::VARCHAR FROM t"))[0]!.map(String);
  try {
    await fill(a, 0);
    const before = await look(a);
    await fill(b, 1);
    assert.equal((await spillFolders()).length, 2);
    assert.deepEqual(await look(a), before);
    b.close();
    assert.deepEqual(await look(a), before);
  } finally {
    a.close();
  }
  assert.deepEqual(await spillFolders(), []);
});

test("a wrong statement is an engine error that keeps its cause; an aborted signal is a cancelled one", async () => {
  const controller = new AbortController();
  const duck = await openDuck({ signal: controller.signal });
  try {
    await assert.rejects(
      duck.run("SELEC 1"),
      (error) => error instanceof OmicsStoreError && error.tag === "engine" && error.cause instanceof Error,
    );
    controller.abort();
    await assert.rejects(
      duck.run("SELECT 1"),
      (error) => error instanceof OmicsStoreError && error.tag === "cancelled",
    );
  } finally {
    duck.close();
  }
});
