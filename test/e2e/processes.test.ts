import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { client, dir, mesh, runDemo, skip, verify } from "./process-world.ts";

test("every service alone in its own process runs the main job", { skip }, async () => {
  const output = await runDemo("plain");
  assert.match(output, /ontology-aware/);
  await verify("plain");
  const { services } = await client.mesh.getMeshStatus({});
  assert.deepEqual(
    services.filter((one) => !one.serving),
    [],
  );
});

test("SIGTERM ends each service with code 0 and hands its work back", { skip }, async () => {
  for (const name of ["worker", "imaging", "inference", "training", "extract", "ingest", "api"] as const) {
    assert.equal(await mesh.stop(name), 0, readFileSync(join(dir, `${name}.log`), "utf8").slice(-2_000));
  }
});
