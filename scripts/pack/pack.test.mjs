import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runNpm } from "../launch/npm.mjs";
import { filesBelow } from "../lib/walk.mjs";
import { publishedManifest } from "./manifest.mjs";
import { packInto } from "./pack-into.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
// Outside of the repository, so that nothing is found but what was installed.
const folder = mkdtempSync(join(tmpdir(), "cytomesh-packed-"));
const project = join(folder, "project");
const installed = (name) => join(project, "node_modules", name);
const manifestOf = (name) => JSON.parse(readFileSync(join(installed(name), "package.json"), "utf8"));
let packed;

/** A stranger's project: the tarballs, what they ask for from elsewhere (the copies at hand stand in for the registry), and Node's types. */
before(async () => {
  packed = await packInto(root, ["@cytomesh/anndata"], join(folder, "tarballs"));
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }');
  const tarballs = packed.map(({ tarball }) => tarball);
  const foreign = ["@types/node", ...foreignDependencies()].map((name) => join(root, "node_modules", name));
  await runNpm(process.execPath, ["install", "--offline", "--ignore-scripts", ...tarballs, ...foreign], {
    cwd: project,
    what: "npm install",
  });
});
after(() => rmSync(folder, { recursive: true, force: true }));

function foreignDependencies() {
  const ours = new Set(packed.map(({ name }) => name));
  const wanted = packed.flatMap(({ name }) => {
    const path = join(root, "packages", name.split("/")[1], "package.json");
    return Object.keys(JSON.parse(readFileSync(path, "utf8")).dependencies ?? {});
  });
  return new Set(wanted.filter((name) => !ours.has(name)));
}

/** Node to run on, by name. That of the engines claim is big: CI brings it. */
const nodes = { "this Node": process.execPath, "the oldest Node": process.env.CYTOMESH_OLDEST_NODE };

test("packages hold JavaScript and declarations, no sources, tests or fixtures, and ask for exact versions", () => {
  assert.ok(packed.length > 1);
  for (const { name, version } of packed) {
    assert.deepEqual(readdirSync(installed(name)).sort(), ["README.md", "dist", "package.json"]);
    const dist = join(installed(name), "dist");
    const files = filesBelow(dist).map((path) => path.slice(dist.length + 1));
    assert.ok(files.includes("index.js") && files.includes("index.d.ts"), files.join());
    for (const file of files) assert.match(file, /^(?!.*test).*(\.js|\.d\.ts|\.wasm)$/);
    const manifest = manifestOf(name);
    assert.equal(manifest.version, version);
    for (const range of Object.values(manifest.dependencies ?? {})) assert.match(range, /^\d+\.\d+\.\d+$/);
  }
});

test("the README of a package names everything that it exports", async () => {
  for (const { name } of packed) {
    const readme = readFileSync(join(installed(name), "README.md"), "utf8");
    const exported = await import(pathToFileURL(join(installed(name), "dist/index.js")));
    for (const key of Object.keys(exported)) assert.match(readme, new RegExp(`\\b${key}\\b`), name);
  }
});

test("a package that does not say which Node it needs, or whose door is no source file, is not packed", () => {
  const entry = (manifest) => ({ name: "a", manifest: { name: "a", version: "1.0.0", ...manifest } });
  const engines = { node: ">=22" };
  const publish = (manifest) =>
    publishedManifest(entry(manifest), new Map([["b", "2.0.0"]]), { license: "MIT" });
  assert.throws(() => publish({ exports: { ".": "./src/index.ts" } }), /engines/);
  assert.throws(() => publish({ engines, exports: { "./*": "./src/*.ts" } }), /only a file below src/);
  const doors = { ".": "./src/index.ts", "./testing": "./src/testing/cells.ts" };
  const manifest = publish({ engines, exports: doors, dependencies: { b: "*", c: "3.0.0" } });
  assert.deepEqual(manifest.exports, { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } });
  assert.deepEqual(manifest.dependencies, { b: "2.0.0", c: "3.0.0" });
  assert.equal(manifest.license, "MIT");
});

test("the examples of every README compile against the declarations, strictly, and run one after another", async (t) => {
  const examples = packed.map(({ name }) => {
    const text = readFileSync(join(installed(name), "README.md"), "utf8");
    const blocks = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1]);
    assert.ok(blocks.length > 0, `${name} has no example`);
    const paths = blocks.map((_, i) => join("examples", name, `example-${i + 1}.ts`));
    mkdirSync(join(project, "examples", name), { recursive: true });
    for (const [i, path] of paths.entries()) writeFileSync(join(project, path), blocks[i]);
    return { name, paths };
  });
  const compilerOptions = {
    ...{ target: "es2022", module: "nodenext", strict: true, skipLibCheck: false, types: ["node"] },
    ...{ exactOptionalPropertyTypes: true, rootDir: ".", outDir: "js" },
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["examples"] }));
  run(process.execPath, [join(root, "node_modules/typescript/bin/tsc")], project);
  for (const [where, node] of Object.entries(nodes))
    for (const { name, paths } of examples)
      await t.test(`${name} on ${where}`, { skip: reasonWithout(node) }, () => {
        const cwd = mkdtempSync(join(project, "run-"));
        for (const path of paths) run(node, [join(project, "js", path.replace(/\.ts$/, ".js"))], cwd);
      });
});

for (const [where, node] of Object.entries(nodes))
  test(`threads start from the installed packages on ${where}`, { skip: reasonWithout(node) }, () => {
    const cwd = mkdtempSync(join(project, "run-"));
    cpSync(join(import.meta.dirname, "testing/threads.mjs"), join(cwd, "threads.mjs"));
    run(node, ["threads.mjs"], cwd);
  });

function reasonWithout(node) {
  return node === undefined
    ? "CYTOMESH_OLDEST_NODE is not set; node scripts/ci/oldest-node.mjs prints it"
    : false;
}

/** Runs to the end; fails with what it said. */
function run(node, args, cwd) {
  try {
    execFileSync(node, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
  } catch (error) {
    assert.fail(`${args.join(" ")} ended with ${error.status ?? error.code}\n${error.stdout}${error.stderr}`);
  }
}
