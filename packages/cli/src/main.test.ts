import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
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
    "imaging import-model",
    "job list",
  ])
    assert.match(overview.stdout, new RegExp(`^ {2}${verb} `, "m"));
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /^cytomesh prepare NAME --dataset NAME\n/);
  assert.deepEqual([unknown.code, unknown.stdout], [2, ""]);
  assert.match(unknown.stderr, /^cytomesh: there is no verb "nope"/);
  assert.deepEqual(
    [wrong.code, wrong.stderr],
    [2, "cytomesh prepare: --filters expects a JSON object, found [1]\n"],
  );
  assert.equal(nobody.code, 1);
  assert.match(
    nobody.stderr,
    /^cytomesh list: no mesh answers at 127\.0\.0\.1:9 \(connect ECONNREFUSED 127\.0\.0\.1:9\): cytomesh up starts one/,
  );
});

test("a word that begins verbs tells them, a mistyped verb the closest, and help and version are where they are looked for", async () => {
  const [imaging, half, wrong, mistyped, help, version] = await Promise.all([
    cytomesh(["imaging", "--help"]),
    cytomesh(["job"]),
    cytomesh(["job", "listt"]),
    cytomesh(["prepar"]),
    cytomesh(["help", "job", "cancel"]),
    cytomesh(["--version"]),
  ]);
  assert.equal(imaging.code, 0);
  assert.match(imaging.stdout, /^ {2}imaging convert .*^ {2}imaging import-model /ms);
  assert.doesNotMatch(imaging.stdout, /^ {2}ingest /m);
  assert.equal(half.code, 2);
  assert.match(half.stderr, /^cytomesh: "job" wants one word more\n.*^ {2}job watch /ms);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^cytomesh: there is no verb "job listt"\n/);
  assert.deepEqual(
    [mistyped.code, mistyped.stderr],
    [2, 'cytomesh: there is no verb "prepar"; did you mean prepare? cytomesh --help lists them\n'],
  );
  assert.match(help.stdout, /^cytomesh job cancel ID\n/);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

test("what is missing is told before the mesh is asked, and a folder is no file", async () => {
  const [missing, folder, metadata] = await Promise.all([
    cytomesh(["imaging", "convert", "--sample", "3"]),
    cytomesh(["imaging", "convert", "fields/", "--output", "out"]),
    cytomesh(["imaging", "format-metadata", "m.csv", "--recipe", "opencell", "--output", "t.csv"]),
  ]);
  assert.deepEqual(
    [missing, folder, metadata].map(({ code, stdout, stderr }) => [code, stdout, stderr]),
    [
      [
        2,
        "",
        "cytomesh imaging convert: missing: files: FILE…, --prefix URI or --listing FILE, --output URI\n",
      ],
      [2, "", "cytomesh imaging convert: fields/ is a folder; --prefix fields/ finds the files in it\n"],
      [2, "", "cytomesh imaging format-metadata: missing: --annotations FILE\n"],
    ],
  );
});

test("a reader that stops reading ends the command without a word, a full disk with one", async (t) => {
  const shell = (line: string) =>
    new Promise<{ code: number; stderr: string }>((resolve) => {
      execFile("bash", ["-c", line, process.execPath, main], (error, _, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stderr }),
      );
    });
  const gone = await shell('"$0" "$1" validate a b c d e f | true; exit "$PIPESTATUS"');
  assert.deepEqual(gone, { code: 141, stderr: "" });
  if (!existsSync("/dev/full")) return t.skip("no /dev/full");
  const full = await shell('"$0" "$1" help > /dev/full');
  assert.equal(full.code, 1);
  assert.match(full.stderr, /^cytomesh: standard output: .*ENOSPC/);
});
