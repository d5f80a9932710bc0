import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { temporaryFolder } from "./test-fixtures.ts";

const folder = temporaryFolder();
after(folder.remove);

test("the examples of the README run, one after another", () => {
  const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  const examples = [...readme.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1]!);
  assert.ok(examples.length >= 4);
  symlinkSync(join(import.meta.dirname, "../../../node_modules"), folder.path("node_modules"));
  const files = examples.map((code, i) => {
    writeFileSync(folder.path(`example-${i}.ts`), code);
    return `await import("./example-${i}.ts");`;
  });
  writeFileSync(folder.path("package.json"), '{"type":"module"}');
  writeFileSync(folder.path("all.ts"), files.join("\n"));
  execFileSync(process.execPath, ["all.ts"], { cwd: folder.path("."), stdio: ["ignore", "ignore", "pipe"] });
});
