import assert from "node:assert/strict";
import test from "node:test";
import {
  choiceOption,
  defineCommand,
  helpOf,
  integerOption,
  jobOptions,
  needs,
  pairsOption,
} from "./command.ts";
import { CliError } from "./errors.ts";

const usage = (pattern: RegExp) => (error: unknown) =>
  error instanceof CliError && error.tag === "usage" && error.exitCode === 2 && pattern.test(error.message);

const seen: unknown[] = [];
const sample = defineCommand({
  name: "sample",
  usage: "sample [NAME]",
  positionals: 1,
  options: {
    flag: { type: "boolean", help: "a flag" },
    word: { type: "string", value: "WORD", help: "a word", default: "usual" },
    many: { type: "string", multiple: true, help: "several" },
    none: { type: "string", help: "left out" },
  },
  async run({ options, positionals }) {
    seen.push({ ...options, positionals });
  },
});
const { signal } = new AbortController();

test("options come parsed: flags false, lists empty, defaults filled in, the rest undefined", async () => {
  seen.length = 0;
  await sample.run([], signal);
  await sample.run(["a", "--flag", "--word=x", "--many", "1", "--many", "2", "--none", ""], signal);
  assert.deepEqual(seen, [
    { flag: false, word: "usual", many: [], none: undefined, positionals: [] },
    { flag: true, word: "x", many: ["1", "2"], none: "", positionals: ["a"] },
  ]);
});

test("a wrong call is a usage error, and one word too many is not passed over", async () => {
  await assert.rejects(sample.run(["--nope"], signal), usage(/'--nope'.*\nTry: cytomesh sample --help/s));
  await assert.rejects(sample.run(["--word"], signal), usage(/--word/));
  await assert.rejects(sample.run(["--flag=yes"], signal), usage(/--flag/));
  await assert.rejects(
    sample.run(["a", "b", "c"], signal),
    usage(/unexpected "b c"; use: cytomesh sample \[NAME\]/),
  );
});

test("help shows every option in aligned columns with what it takes and its default", () => {
  assert.equal(
    helpOf(sample, "A sample."),
    [
      "cytomesh sample [NAME]",
      "",
      "A sample.",
      "",
      "  --flag        a flag",
      "  --word WORD   a word (default usual)",
      "  --many VALUE  several (repeatable)",
      "  --none VALUE  left out",
      "",
    ].join("\n"),
  );
  assert.match(helpOf({ ...sample, spec: jobOptions }, ""), /--key KEY .*--new .*--detach .*--config URI /s);
});

test("whole numbers are taken in their range and in decimal alone", () => {
  const range = { min: -5, max: 2 ** 53 - 1 };
  assert.equal(integerOption("n", undefined, range), undefined);
  for (const [text, value] of [
    ["0", 0],
    ["-5", -5],
    ["007", 7],
    ["9007199254740991", 2 ** 53 - 1],
  ] as const)
    assert.equal(integerOption("n", text, range), value);
  for (const text of ["", " ", "1.5", "1e3", "0x10", "-6", "9007199254740992", "five", "1 "])
    assert.throws(() => integerOption("n", text, range), usage(/^--n expects a whole number from -5/), text);
});

test("all that is missing is told at once", () => {
  needs({ NAME: "a", "--bins N": 1, files: true });
  assert.throws(
    () => needs({ NAME: "", "--dataset NAME": "b", "--output URI": undefined, files: false }),
    usage(/^missing: NAME, --output URI, files$/),
  );
});

test("pairs are cut at their first =, words are those that are known", () => {
  assert.deepEqual(pairsOption("map", ["a=b", "c d=e=f"]), { a: "b", "c d": "e=f" });
  for (const text of ["ab", "=b", "a=", ""])
    assert.throws(() => pairsOption("map", [text]), usage(/--map expects FROM=TO/), text);
  assert.equal(choiceOption("how", "x", { x: 1 }), 1);
  assert.equal(choiceOption("how", undefined, { x: 1 }), undefined);
  assert.throws(
    () => choiceOption("how", "constructor", { x: 1, y: 2 }),
    usage(/--how knows x, y; found "constr/),
  );
});
