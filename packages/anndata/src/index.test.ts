import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as api from "./index.ts";

/** What others build on. A name may be added here; taking one away is a new major version. */
const values = [
  "AnnDataError",
  "arrayOf",
  "chooseFeatureIds",
  "closeTurnStore",
  "concatRows",
  "copyAnnData",
  "createSink",
  "createTurnStore",
  "geneExpressionOf",
  "isParsedOnOpen",
  "openAnnData",
  "parseGeneList",
  "profileOf",
  "readFrame",
  "runIsolated",
  "sentenceOf",
  "sliceRows",
  "takeColumns",
  "takeFrame",
  "takeRows",
  "validateAnnData",
  "validationProfiles",
  "withGeneLists",
  "withoutVersion",
  "writeAnnData",
  "writeElement",
  "writeH5ad",
];

test("the exported values are those that are promised", () => {
  assert.deepEqual(Object.keys(api).sort(), [...values].sort());
});

test("the exported types are those that are promised", () => {
  const index = readFileSync(join(import.meta.dirname, "index.ts"), "utf8");
  for (const name of [
    "AnnData",
    "AnnDataInput",
    "Aligned",
    "Column",
    "CsrRows",
    "DataFrame",
    "Element",
    "Matrix",
  ]) {
    assert.match(index, new RegExp(`\\b${name}\\b`));
  }
});
