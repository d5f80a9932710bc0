import assert from "node:assert/strict";
import { test } from "node:test";
import { sentenceOf } from "./sentence.ts";

test("a sentence names its place once", () => {
  const at = (where: string, message: string) => sentenceOf({ where, message });
  assert.equal(at("obs/_index", "1 of the names occur twice"), "obs/_index: 1 of the names occur twice");
  assert.equal(at("X", "3 values are NaN"), "X: 3 values are NaN");
  assert.equal(at("X", "the file has no X"), "the file has no X");
  assert.equal(at("obs/assay", "obs has no column assay"), "obs has no column assay");
  assert.equal(at("/obs/leiden", "/obs/leiden: code 6 at row 6"), "/obs/leiden: code 6 at row 6");
  assert.equal(at("", "nothing"), "nothing");
});
