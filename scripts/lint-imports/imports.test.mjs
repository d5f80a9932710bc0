import assert from "node:assert/strict";
import { test } from "node:test";
import { isTypesOnly, readImports } from "./imports.mjs";

const specifiers = (text) => readImports(text).imports.map(({ specifier }) => specifier);

test("finds every way of importing", () => {
  const text = `import "a";
import b from "b";
import { c1, type c2 } from 'c';
import * as d from "d"
import type { E } from "e";
import type from "f";
export { g } from "g";
export * from "h";
export * as i from "i";
export type { J } from "j";
export type * from "k";
const l = await import("l");
const m = require("m");
type N = import("n").N;
import.meta.resolve("o");
`;
  assert.deepEqual(specifiers(text), [..."abcdefghijklmno"]);
  const typeOnly = readImports(text).imports.filter((found) => found.typeOnly);
  assert.deepEqual(
    typeOnly.map(({ specifier }) => specifier),
    ["e", "j", "k"],
  );
});

test("is not fooled by comments, strings, templates, regular expressions and look-alikes", () => {
  const text = [
    '// import "no"',
    '/* import "no" */',
    "const s = 'import \"no\"';",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the source under test has a template.
    'const t = `import "no" ${`export * from "no"`} ${await import("yes")}`;',
    'const r = /import "no"[/]"/g; const q = a / b; import("yes2");',
    'thing.import("no"); thing.require("no");',
    'const o = { import: 1, from: "no" };',
    'export const from = "no";',
    "export { a, b };",
    'const c = "no";',
    "import.meta.url;",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the source under test has a template.
    'const x = `${{ a: "}" }}` + "import"; import "yes3";',
    '// an unfinished comment: import "no"',
  ].join("\n");
  assert.deepEqual(specifiers(text), ["yes", "yes2", "yes3"]);
});

test("tells the line an import ends on, also after lines of comments and templates", () => {
  const { imports } = readImports('/*\n\n*/\n`\n\n`;\nimport {\n  a,\n} from "x";\n');
  assert.deepEqual(imports, [{ specifier: "x", line: 9, typeOnly: false }]);
});

test("sees default exports in both spellings", () => {
  assert.deepEqual(readImports("const a = 1;\nexport default a;").defaultExports, [2]);
  assert.deepEqual(readImports("export { a as default };").defaultExports, [1]);
  assert.deepEqual(readImports("export const defaults = { default: 1 };").defaultExports, []);
});

test("knows a module of nothing but types", () => {
  assert.ok(
    isTypesOnly(
      'import type { A } from "a";\nexport interface B { run(a: A): void }\nexport type C = B | { const: 1 };',
    ),
  );
  assert.ok(!isTypesOnly("export type A = 1;\nexport const a = 1;"));
  assert.ok(!isTypesOnly("export type A = 1;\nexport function a() {}"));
  assert.ok(!isTypesOnly('import "side-effect";\nexport type A = 1;'));
  assert.ok(!isTypesOnly('export * from "./a.ts";'));
});
