import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import { IngestSpecSchema, MatrixSource } from "@cytomesh/contracts/jobs/v1/specs";
import { convertOptionsOf, fingerprintOf } from "./plan.ts";

test("equal options have equal fingerprints, whatever the order; any difference shows", () => {
  const base = convertOptionsOf(create(IngestSpecSchema, { obsMapping: { a: "x", b: "y" } }));
  const same = convertOptionsOf(
    create(IngestSpecSchema, {
      obsMapping: { b: "y", a: "x" },
      matrix: MatrixSource.AUTO,
      tag: "t",
      uris: ["u"],
    }),
  );
  assert.equal(fingerprintOf(same), fingerprintOf(base));
  const others = [
    { ...base, obsMapping: { a: "y", b: "x" } },
    { ...base, matrix: "x" as const },
    { ...base, featureIdColumn: "id" },
    { ...base, allowNonCounts: true },
    { ...base, layer: "counts" },
  ];
  const all = [base, ...others].map(fingerprintOf);
  assert.equal(new Set(all).size, all.length);
});
