import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions } from "./pep440.ts";

test("versions stand in the order of PEP 440", () => {
  const ascending = [
    "1.dev0",
    "1.0.dev456",
    "1.0a1",
    "1.0a2.dev456",
    "1.0a12.dev456",
    "1.0a12",
    "1.0b1.dev456",
    "1.0b2",
    "1.0b2.post345.dev456",
    "1.0b2.post345",
    "1.0rc1.dev456",
    "1.0rc1",
    "1.0",
    "1.0+abc.5",
    "1.0+abc.7",
    "1.0+5",
    "1.0.post456.dev34",
    "1.0.post456",
    "1.0.15",
    "1.1.dev1",
    "1.8.0",
    "1.8.1.dev3",
    "1.8.1",
    "1.10",
    "1!0.1",
  ];
  for (const [i, a] of ascending.entries())
    for (const [j, b] of ascending.entries())
      assert.equal(compareVersions(a, b), Math.sign(i - j), `${a} against ${b}`);
});

test("spellings of the same version are equal", () => {
  for (const [a, b] of [
    ["1.0", "1"],
    ["v1.8.0", "1.8"],
    ["1.0-alpha.1", "1.0a1"],
    ["1.0c1", "1.0rc1"],
    ["1.0.preview2", "1.0rc2"],
    ["1.0-1", "1.0.post1"],
    ["1.0.rev3", "1.0.post3"],
    ["1.0-DEV", "1.0.dev0"],
    ["1.0+Ubuntu_1", "1.0+ubuntu.1"],
    [" 1.8.0 ", "1.8.0"],
  ] as const)
    assert.equal(compareVersions(a, b), 0, `${a} and ${b}`);
});

test("what is no version compares as undefined", () => {
  for (const junk of ["", "latest", "1..2", "1.0-", "1.0+", "french toast", "1.0+a+", "1".repeat(200)])
    assert.equal(compareVersions(junk, "1.0"), undefined, junk);
});
