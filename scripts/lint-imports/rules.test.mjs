import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { lintImports } from "./rules.mjs";
import { readRepository } from "./workspaces.mjs";

const BASE = {
  "package.json": { devDependencies: { "fast-check": "1.0.0" } },
  "packages/a/package.json": {
    name: "@cytomesh/a",
    exports: { ".": "", "./task": "" },
    dependencies: { zod: "1.0.0" },
  },
  "packages/b/package.json": {
    name: "@cytomesh/b",
    dependencies: { "@cytomesh/a": "*" },
    devDependencies: { oracle: "1.0.0" },
  },
  "packages/cli/package.json": { name: "@cytomesh/cli", dependencies: { "@cytomesh/x-service": "*" } },
  "packages/contracts/package.json": { name: "@cytomesh/contracts" },
  "services/x/package.json": {
    name: "@cytomesh/x-service",
    dependencies: { "@cytomesh/a": "*", "@cytomesh/contracts": "*" },
  },
  "services/y/package.json": { name: "@cytomesh/y-service", dependencies: { "@cytomesh/x-service": "*" } },
};

/** Lints a small repository made of `files` (path → source, or package.json content) and returns "file:line rule" per problem. */
function lint(t, files) {
  const root = mkdtempSync(join(tmpdir(), "lint-imports-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [path, content] of Object.entries({ ...BASE, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), typeof content === "string" ? content : JSON.stringify(content));
  }
  return lintImports(readRepository(root)).map(({ file, line, rule }) => `${file}:${line} ${rule}`);
}

test("finds nothing in a repository that keeps the rule", (t) => {
  const problems = lint(t, {
    "packages/a/src/index.ts":
      'import { z } from "zod";\nimport { readFileSync } from "node:fs";\nexport { b } from "./b.ts";',
    "packages/a/src/b.test.ts": 'import fc from "fast-check";',
    "packages/b/src/index.ts":
      'import { b } from "@cytomesh/a";\nimport "@cytomesh/a/task";\nimport type { O } from "oracle";',
    "packages/cli/src/up.ts": 'const { start } = await import("@cytomesh/x-service");',
    "packages/cli/vite.config.ts": "export default {};",
    "services/x/src/main.ts":
      'import { rpc } from "./rpc/x.ts";\nimport { store } from "./data-manager/store.ts";',
    "services/x/src/dependencies.ts": 'import { store } from "./data-manager/store.ts";',
    "services/x/src/rpc/x.ts":
      'import { domain } from "../services/domain.ts";\nimport { Job } from "@cytomesh/contracts/jobs/v1/job";',
    "services/x/src/rest/x.ts":
      'import { rpc } from "../rpc/x.ts";\nimport { schema } from "../schemas/a.ts";',
    "services/x/src/services/domain.ts":
      'import { store } from "../data-manager/store.ts";\nimport { E } from "../errors.ts";',
    "services/x/src/services/domain.test.ts": 'import { rpc } from "../rpc/x.ts";',
    "services/x/src/data-manager/store.ts": 'import type { Port } from "../types.ts";',
    "services/x/src/clients/c.ts": 'import { schema } from "../schemas/a.ts";',
    "services/x/src/types.ts": "export interface Port {}",
    "services/x/src/errors.ts": "export class E extends Error {}",
  });
  assert.deepEqual(problems, []);
});

test("keeps services apart, by name and by path", (t) => {
  const problems = lint(t, {
    "services/y/src/main.ts":
      'import { a } from "@cytomesh/x-service";\nimport { b } from "../../x/src/main.ts";',
  });
  assert.deepEqual(problems, [
    "services/y/src/main.ts:1 services-apart",
    "services/y/src/main.ts:2 services-apart",
  ]);
});

test("keeps packages below services, except the command line by the services' door", (t) => {
  const problems = lint(t, {
    "packages/low/package.json": { name: "@cytomesh/low" },
    "packages/low/src/index.ts":
      'import { x } from "@cytomesh/x-service";\nimport { y } from "../../../services/x/src/main.ts";',
    "packages/cli/src/up.ts":
      'import { x } from "@cytomesh/x-service/src/rpc/x.ts";\nimport { y } from "../../../services/x/src/main.ts";',
  });
  assert.deepEqual(problems, [
    "packages/cli/src/up.ts:1 door",
    "packages/cli/src/up.ts:2 door",
    "packages/low/src/index.ts:1 packages-below-services",
    "packages/low/src/index.ts:2 packages-below-services",
  ]);
});

const WRONG_WAYS = [
  ["rpc", "data-manager"],
  ["rpc", "clients"],
  ["rest", "data-manager"],
  ["edge", "clients"],
  ["services", "rpc"],
  ["services", "edge"],
  ["data-manager", "services"],
  ["data-manager", "clients"],
  ["clients", "data-manager"],
  ["clients", "services"],
  ["schemas", "services"],
  ["schemas", "clients"],
];
for (const [from, to] of WRONG_WAYS) {
  test(`lets no file of ${from}/ import ${to}/, however deep`, (t) => {
    const problems = lint(t, {
      [`services/x/src/${from}/deep/a.ts`]: `import type { b } from "../../${to}/b.ts";`,
    });
    assert.deepEqual(problems, [`services/x/src/${from}/deep/a.ts:1 rooms`]);
  });
}

test("lets no room import the wiring, or code at the root of src", (t) => {
  const problems = lint(t, {
    "services/x/src/helper.ts": "export const helper = 1;",
    "services/x/src/errors.ts": 'import { store } from "./data-manager/store.ts";',
    "services/x/src/data-manager/store.ts": "export const store = 1;",
    "services/x/src/services/a.ts":
      'import { d } from "../dependencies.ts";\nimport { m } from "../main.ts";\nimport { h } from "../helper.ts";',
    "services/x/src/dependencies.ts": "export const d = 1;",
    "services/x/src/attic/a.ts": "export const a = 1;",
  });
  assert.deepEqual(problems, [
    "services/x/src/attic/a.ts:1 rooms",
    "services/x/src/errors.ts:1 rooms",
    "services/x/src/services/a.ts:1 rooms",
    "services/x/src/services/a.ts:2 rooms",
    "services/x/src/services/a.ts:3 rooms",
  ]);
});

test("imports packages by their door only", (t) => {
  const problems = lint(t, {
    "packages/b/src/index.ts":
      'import "@cytomesh/a/src/x.ts";\nimport "../../a/src/index.ts";\nimport "@cytomesh/b";\nimport "../../../outside.ts";',
  });
  assert.deepEqual(
    problems,
    [1, 2, 3, 4].map((line) => `packages/b/src/index.ts:${line} door`),
  );
});

test("imports only what the workspace declares, and development packages only in tests and types", (t) => {
  const problems = lint(t, {
    "packages/a/src/index.ts":
      'import "undeclared/deep";\nimport "@scope/undeclared/deep";\nimport "fast-check";\nimport "/absolute.ts";',
    "packages/a/src/a.test.ts": 'import "undeclared";\nimport "fast-check";',
    "packages/b/src/index.ts": 'import { o } from "oracle";\nimport "@cytomesh/contracts/jobs/v1/job";',
  });
  assert.deepEqual(problems, [
    "packages/a/src/a.test.ts:1 declared",
    ...[1, 2, 3, 4].map((line) => `packages/a/src/index.ts:${line} declared`),
    "packages/b/src/index.ts:1 declared",
    "packages/b/src/index.ts:2 declared",
  ]);
});

test("finds packages that depend on each other in a circle, once", (t) => {
  const problems = lint(t, {
    "packages/a/package.json": { name: "@cytomesh/a", dependencies: { "@cytomesh/b": "*" } },
    "packages/a/src/index.ts": '\nimport { b } from "@cytomesh/b";',
    "packages/b/src/index.ts": 'import { a } from "@cytomesh/a";',
  });
  assert.deepEqual(problems, ["packages/b/src/index.ts:1 cycle"]);
});

test("refuses default exports", (t) => {
  assert.deepEqual(lint(t, { "packages/a/src/index.ts": "\nexport default 1;" }), [
    "packages/a/src/index.ts:2 named-exports",
  ]);
});

test("this repository is read whole", () => {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const { workspaces } = readRepository(root);
  const names = workspaces.map(({ name }) => name);
  assert.ok(names.includes("@cytomesh/rpc") && names.includes("@cytomesh/api-service"));
  assert.ok(
    workspaces.every(({ files }) =>
      files.every(({ path }) => !path.includes("node_modules") && !path.includes("/gen/")),
    ),
  );
});
