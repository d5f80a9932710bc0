import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

/** Run the command as a shell would. */
function cytomesh(args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, ...args],
      { env: { ...process.env, CYTOMESH_API: "127.0.0.1:9" } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test("exit codes and streams: help to stdout with 0, mistakes to stderr with 2, failures with 1", async () => {
  const [overview, help, unknown, wrong, nobody] = await Promise.all([
    cytomesh([]),
    cytomesh(["prepare", "--help"]),
    cytomesh(["nope"]),
    cytomesh(["prepare", "c", "--filters", "[1]"]),
    cytomesh(["list", "datasets"]),
  ]);
  assert.equal(overview.code, 0);
  for (const verb of [
    "up",
    "demo",
    "ingest",
    "prepare",
    "extract",
    "train",
    "embed",
    "index",
    "annotate",
    "job",
  ])
    assert.match(overview.stdout, new RegExp(`^ {2}${verb} `, "m"));
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /^cytomesh prepare NAME --dataset NAME\n/);
  assert.deepEqual([unknown.code, unknown.stdout], [2, ""]);
  assert.match(unknown.stderr, /^cytomesh: there is no command "nope"/);
  assert.deepEqual(
    [wrong.code, wrong.stderr],
    [2, "cytomesh prepare: --filters expects a JSON object, found [1]\n"],
  );
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /^cytomesh list: /);
  assert.doesNotMatch(nobody.stderr, /\n {4}at /);
});
