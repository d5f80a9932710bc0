import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { matchesLockfile, planInstall } from "./dependencies.mjs";
import { withLock } from "./file-lock.mjs";
import { smallMemory } from "./memory.mjs";
import { isSupported } from "./node-runtime.mjs";
import { explainNpmFailure } from "./npm.mjs";

function tempDir(t) {
  const dir = mkdtempSync(join(tmpdir(), "launch-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("runs on Node 24 and newer; anything else is replaced", () => {
  for (const version of ["24.0.0", "v24.21.0", "25.1.0", "26.10.0"]) assert.ok(isSupported(version), version);
  for (const version of ["18.20.0", "v20.20.2", "22.22.0", "23.11.0"])
    assert.ok(!isSupported(version), version);
});

const LOCK = {
  "": { name: "root" },
  "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
  "node_modules/b-darwin": { version: "1.0.0", optional: true },
  "node_modules/@x/y": { resolved: "packages/y", link: true },
  "packages/y": { version: "0.1.0" },
};
const INSTALLED = {
  "node_modules/a": { version: "1.0.0", integrity: "sha512-a", resolved: "from/anywhere.tgz" },
  "node_modules/@x/y": { resolved: "packages/y", link: true },
  "packages/y": { version: "0.1.0" },
};
const asText = (packages) => JSON.stringify({ packages });

test("tells installed packages that match the lockfile from those that do not", () => {
  const matches = (installed) => matchesLockfile(asText(LOCK), asText(installed));
  assert.ok(matches(INSTALLED));
  assert.ok(
    !matches({ ...INSTALLED, "node_modules/a": { version: "1.0.1", integrity: "sha512-b" } }),
    "another version",
  );
  assert.ok(
    !matches({ ...INSTALLED, "node_modules/a": { version: "1.0.0", integrity: "sha512-b" } }),
    "other content",
  );
  assert.ok(!matches({ ...INSTALLED, "node_modules/old": { version: "1.0.0" } }), "one too many");
  const { "node_modules/@x/y": _, ...without } = INSTALLED;
  assert.ok(!matches(without), "a workspace is not linked");
});

test("installs when node_modules is missing or the lockfile changed, and only stamps what a developer installed", (t) => {
  const root = tempDir(t);
  const write = (path, text) => writeFileSync(join(root, path), text);
  write("package-lock.json", asText(LOCK));
  assert.equal(planInstall(root).action, "install");
  mkdirSync(join(root, "node_modules"));
  assert.equal(planInstall(root).action, "install");
  write("node_modules/.package-lock.json", asText(INSTALLED));
  const { action, expected } = planInstall(root);
  assert.equal(action, "stamp");
  write("node_modules/.cytomesh-lock", expected);
  assert.equal(planInstall(root).action, "none");
  write("package-lock.json", asText({ ...LOCK, "node_modules/new": { version: "1.0.0" } }));
  assert.equal(planInstall(root).action, "install");
  write("package-lock.json", asText(LOCK));
  write("node_modules/.cytomesh-lock", expected.replace(/ .*/, " other-platform"));
  assert.equal(planInstall(root).action, "install");
});

test("lets one holder of a lock work at a time", async (t) => {
  const path = join(tempDir(t), "deep/lock");
  let inside = 0;
  const order = [];
  await Promise.all(
    [1, 2, 3].map((id) =>
      withLock(path, async () => {
        assert.equal(++inside, 1);
        await sleep(20);
        order.push(id);
        inside--;
      }),
    ),
  );
  assert.equal(order.length, 3);
});

test("releases the lock when the work fails", async (t) => {
  const path = join(tempDir(t), "lock");
  await assert.rejects(
    withLock(path, () => Promise.reject(new Error("broken"))),
    /broken/,
  );
  assert.equal(await withLock(path, () => "again"), "again");
});

test("takes over the lock of a killed process, but not before a process it started ends too", async (t) => {
  const path = join(tempDir(t), "lock");
  const sleeper = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  t.after(() => sleeper.kill("SIGKILL"));
  const module = JSON.stringify(new URL("file-lock.mjs", import.meta.url).href);
  const holder = `import { withLock } from ${module};
    await withLock(${JSON.stringify(path)}, (alsoHeldBy) => { alsoHeldBy(${sleeper.pid}); process.kill(process.pid, "SIGKILL"); });`;
  spawnSync(process.execPath, ["--input-type=module", "-e", holder]);
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")).pids[1], sleeper.pid);
  let waited = false;
  const taken = withLock(
    path,
    () => assert.ok(sleeper.killed, "taken over too early"),
    () => {
      waited = true;
      sleeper.kill("SIGKILL");
    },
  );
  await taken;
  assert.ok(waited);
});

test("explains in one sentence what is wrong with the registry", () => {
  assert.match(explainNpmFailure("npm error code ENOTFOUND"), /cannot be reached/);
  assert.match(explainNpmFailure("npm error code SELF_SIGNED_CERT_IN_CHAIN"), /NODE_EXTRA_CA_CERTS/);
  assert.match(explainNpmFailure("npm error code E404"), /does not carry/);
  assert.match(explainNpmFailure("npm error code E403"), /refused/);
  assert.match(
    explainNpmFailure("npm error code EUSAGE\nnpm error can only install when … are in sync"),
    /npm install/,
  );
  assert.equal(explainNpmFailure("npm error code ELIFECYCLE"), undefined);
});

test("processes are kept small unless the environment says otherwise", () => {
  assert.deepEqual(smallMemory({}), { MALLOC_ARENA_MAX: "2", NODE_OPTIONS: "--max-semi-space-size=8" });
  assert.deepEqual(smallMemory({ MALLOC_ARENA_MAX: "8", NODE_OPTIONS: "--enable-source-maps" }), {
    MALLOC_ARENA_MAX: "8",
    NODE_OPTIONS: "--enable-source-maps --max-semi-space-size=8",
  });
  const own = { NODE_OPTIONS: "--max-semi-space-size=64" };
  assert.equal(smallMemory(own).NODE_OPTIONS, own.NODE_OPTIONS);
});
