import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { findVerb, similarVerbs, verbs } from "./verbs.ts";

const root = new URL("../../../", import.meta.url);
const documents = [
  "README.md",
  "docs/api.md",
  "docs/architecture.md",
  "docs/benchmarks.md",
  "docs/cli.md",
  "docs/development.md",
  "docs/operations.md",
  "services/imaging/README.md",
  "packages/segmentation/README.md",
  "packages/omics-store/README.md",
];
const commands = new Map(
  await Promise.all(verbs.map(async (verb) => [verb.name, await verb.load()] as const)),
);

/** Calls of the command in fenced blocks and in backticks, as words; the prompt, comments and continuations of lines taken care of. */
function* callsIn(text: string): Generator<string[]> {
  const blocks = [...text.matchAll(/```[a-z]*\n(.*?)```/gs)].map((match) => match[1] as string);
  const spans = [...text.replace(/```.*?```/gs, "").matchAll(/`([^`]+)`/g)].map(
    (match) => match[1] as string,
  );
  for (const part of [
    ...blocks
      .join("\n")
      .replace(/\\\n\s*/g, " ")
      .split("\n"),
    ...spans,
  ]) {
    const call = /^\s*(?:npx cytomesh|cytomesh|npm run (?:demo|up)(?: --)?)(?=\s|$)(.*)/.exec(part);
    if (call === null) continue;
    const script = /^\s*npm run (demo|up)/.exec(part)?.[1];
    const words = (call[1] as string)
      .replace(/\s{2,}#.*|\s# .*/, "")
      .replace(/'[^']*'/g, "VALUE")
      .split(/\s+/)
      .filter(Boolean);
    yield script === undefined ? words : [script, ...words];
  }
}

test("every call in the documents names a verb and options that there are", () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const name of documents)
    for (const words of callsIn(readFileSync(new URL(name, root), "utf8"))) {
      const [first] = words;
      // `cytomesh VERB …` and the like speak of all verbs.
      if (first === undefined || /^[A-Z…(-]/.test(first)) continue;
      seen += 1;
      const found = findVerb(words);
      if (found === undefined) {
        wrong.push(`${name}: cytomesh ${words.join(" ")}`);
        continue;
      }
      const options = new Set(Object.keys(commands.get(found.verb.name)?.spec ?? {}));
      for (const [, option] of found.args.join(" ").matchAll(/(?<![\w-])--([a-z][a-z0-9-]*)/g))
        if (!options.has(option as string) && option !== "help")
          wrong.push(`${name}: cytomesh ${found.verb.name} has no --${option}`);
    }
  assert.deepEqual(wrong, []);
  assert.ok(seen > 40, `only ${seen} calls found`);
});

test("docs/cli.md tells every verb with every option", () => {
  const text = readFileSync(new URL("docs/cli.md", root), "utf8");
  const common = new Set(["api", "json", "key", "new", "detach", "after", "config"]);
  const missing: string[] = [];
  for (const [name, { spec }] of commands) {
    if (!text.includes(`cytomesh ${name}`) && !text.includes(`\`${name}\``)) missing.push(name);
    for (const option of Object.keys(spec))
      if (!common.has(option) && !text.includes(`--${option}`)) missing.push(`${name} --${option}`);
  }
  for (const option of common) if (!text.includes(`--${option}`)) missing.push(`--${option}`);
  assert.deepEqual(missing, []);
});

test("usage begins with the verb's own name, and a verb is told once", () => {
  for (const [name, command] of commands) {
    assert.equal(command.name, name);
    assert.ok(`${command.usage} `.startsWith(`${name} `), command.usage);
  }
  assert.equal(new Set(verbs.map(({ name }) => name)).size, verbs.length);
});

test("mistyped verbs find the ones that were meant", () => {
  assert.deepEqual(similarVerbs("valdate"), ["validate"]);
  assert.ok(similarVerbs("import-model").includes("imaging import-model"));
  assert.deepEqual(similarVerbs("quux"), []);
});
