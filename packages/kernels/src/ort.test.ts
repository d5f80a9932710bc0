import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

/** Loads the runtime, in this thread or in another; that there is no model in a byte is said only after that. */
const load = (module: string) =>
  `import(${JSON.stringify(module)}).then(({ createDenseSession }) => createDenseSession(new Uint8Array(1))).catch(() => {})`;

test("the runtime keeps to itself: no telemetry, of which it would leave a log, neither in a process nor in its threads", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kernels-ort-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const module = new URL("./ort.ts", import.meta.url).href;
  const here = `await ${load(module)};`;
  const thread = `
    await import(${JSON.stringify(module)});
    const { Worker } = await import("node:worker_threads");
    const worker = new Worker(${JSON.stringify(load(module))}, { eval: true });
    await new Promise((resolve) => worker.once("exit", resolve));`;
  const { ORT_DISABLE_TELEMETRY: _, ...environment } = process.env;
  const env = { ...environment, TMPDIR: folder, NODE_DISABLE_COMPILE_CACHE: "1" };
  const leftBy = (code: string) => {
    execFileSync(process.execPath, ["--input-type=module", "-e", code], { env });
    return readdirSync(folder);
  };
  assert.deepEqual(leftBy(here), []);
  assert.deepEqual(leftBy(thread), []);
});
