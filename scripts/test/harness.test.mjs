import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const HARNESS = fileURLToPath(new URL("../test.mjs", import.meta.url));

/** Runs the harness over files given as name → body (after `import { test, describe } from "node:test"`). */
function harness(t, files, flags = []) {
  const dir = mkdtempSync(join(tmpdir(), "harness-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, body] of Object.entries(files)) {
    const text =
      body === ""
        ? ""
        : `import { describe, test } from "node:test";\nconst dir: string = ${JSON.stringify(dir)};\n${body}`;
    writeFileSync(join(dir, `${name}.test.ts`), text);
  }
  const { stdout, status } = spawnSync(process.execPath, [HARNESS, ...flags, dir], { encoding: "utf8" });
  return { dir, stdout, status, last: stdout.trimEnd().split("\n").at(-1) };
}

const alive = (pid) => {
  try {
    // A zombie that nobody collects still has its id, but runs nothing.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};

test("counts passed, failed and skipped tests, and groups skips by reason", (t) => {
  const { stdout, status, last } = harness(t, {
    a: `test("one", () => {});
      test("two", (t) => t.skip("no data"));
      test("three", { skip: "no data" }, () => {});
      test("four", { skip: true }, () => {});
      describe("suite", { skip: "no engine" }, () => { test("x", () => {}); test("y", () => {}); });
      test("parent", async (t) => { await t.test("child", () => {}); });
      test("later", { todo: "soon" }, () => { throw new Error("known"); });`,
    b: `test("fails", () => { throw new Error("boom", { cause: new Error("root cause") }); });
      test("outer", async (t) => { await t.test("inner", () => { throw new Error("bang"); }); });
      describe("only around it", () => { test("in a suite", () => { throw new Error("crash"); }); });`,
  });
  assert.equal(last, "3 passed, 4 failed, 5 skipped");
  assert.equal(status, 1);
  assert.match(stdout, /^ +2 {2}no data$/m);
  assert.match(stdout, /^ +1 {2}no engine$/m);
  assert.match(stdout, /b\.test\.ts > fails\n +Error: boom\n +at .*b\.test\.ts:3/);
  assert.match(stdout, /caused by Error: root cause/);
  assert.match(stdout, /> outer > inner\n/);
  assert.doesNotMatch(stdout, /node:internal/);
});

test("ends with a bare line of totals, and code 0, when all is well", (t) => {
  const { status, last } = harness(t, { a: `test("one", () => { console.log("9 passed, 9 failed"); });` });
  assert.deepEqual([last, status], ["1 passed, 0 failed", 0]);
});

test("kills a hung file with everything it started, and names the test that hung", async (t) => {
  const body = `import { spawn } from "node:child_process";
    import { writeFileSync } from "node:fs";
    test("fine", () => {});
    test("hangs", async () => {
      process.on("SIGTERM", () => {});
      const child = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"]);
      writeFileSync(dir + "/pid", String(child.pid));
      await new Promise(() => setInterval(() => {}, 1000));
    });`;
  const { dir, stdout, last, status } = harness(t, { hung: body }, ["--timeout", "1.5"]);
  assert.deepEqual([last, status], ["1 passed, 1 failed", 1]);
  assert.match(stdout, /hung\.test\.ts > \(the file\)\n +hung: .*Still running: "hangs"/);
  assert.ok(!alive(Number(readFileSync(join(dir, "pid"), "utf8"))));
});

test("kills what a finished file left behind, and says so", (t) => {
  const body = `import { spawn } from "node:child_process";
    import { writeFileSync } from "node:fs";
    test("leaves", () => {
      const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
      child.unref();
      writeFileSync(dir + "/pid", String(child.pid));
    });`;
  const { dir, stdout, last } = harness(t, { stray: body });
  assert.equal(last, "1 passed, 0 failed");
  assert.match(stdout, /Left processes running \(killed\)\n.*stray\.test\.ts/);
  assert.ok(!alive(Number(readFileSync(join(dir, "pid"), "utf8"))));
});

test("fails files that crash, leave early, do not parse, or hold no test", (t) => {
  const { stdout, last } = harness(t, {
    crash: `test("one", () => {}); test("two", () => process.kill(process.pid, "SIGKILL"));`,
    leave: `test("one", () => {}); test("two", () => process.exit(0));`,
    syntax: "test(",
    empty: "",
    late: `test("one", () => { setTimeout(() => { throw new Error("too late"); }, 20); });`,
  });
  // How many tests a crashing process still told of is chance.
  assert.match(last, /^\d passed, 5 failed$/);
  assert.match(stdout, /crash\.test\.ts > \(the file\)\n +crashed: the process ended with SIGKILL/);
  assert.match(stdout, /leave\.test\.ts > \(the file\)\n +ended before its tests did/);
  assert.match(stdout, /SyntaxError/);
  assert.match(stdout, /too late/);
});

test("runs only what --grep names, and fails when that is nothing", (t) => {
  const files = { a: `test("apple", () => {}); test("pear", () => { throw new Error("not asked for"); });` };
  assert.deepEqual(
    [harness(t, files, ["--grep", "^apple"]).last, harness(t, files, ["--grep", "^apple"]).status],
    ["1 passed, 0 failed", 0],
  );
  const none = harness(t, files, ["--grep", "quince"]);
  assert.deepEqual([none.last, none.status], ["0 passed, 0 failed", 1]);
});

test("takes the running files along when it is stopped, or killed outright", {
  skip: process.platform === "win32",
}, async (t) => {
  for (const signal of ["SIGTERM", "SIGKILL"]) {
    const dir = mkdtempSync(join(tmpdir(), "harness-test-"));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const pidFile = join(dir, "pid");
    const body = `import { test } from "node:test"; import { writeFileSync } from "node:fs";
      test("waits", async () => { writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); await new Promise(() => setInterval(() => {}, 1000)); });`;
    writeFileSync(join(dir, "a.test.ts"), body);
    const child = spawn(process.execPath, [HARNESS, dir], { stdio: "ignore" });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    let pid;
    while (!pid) {
      await sleep(20);
      try {
        pid = Number(readFileSync(pidFile, "utf8"));
      } catch {
        // Not started yet.
      }
    }
    child.kill(signal);
    await exited;
    for (let round = 0; round < 100 && alive(pid); round++) await sleep(50);
    assert.ok(!alive(pid), signal);
  }
});

test("says what is wrong with the command line", () => {
  const run = (...args) => spawnSync(process.execPath, [HARNESS, ...args], { encoding: "utf8" });
  assert.match(run("no-such-file").stderr, /^no such test file or folder: no-such-file\n$/);
  assert.match(run("--timeout", "soon").stderr, /--timeout expects a number/);
  assert.equal(run("--unknown").status, 1);
});
