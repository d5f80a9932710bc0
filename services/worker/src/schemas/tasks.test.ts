import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type JsonObject } from "@bufbuild/protobuf";
import { AnalysisSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { taskOf } from "./tasks.ts";

const specOf = (task: string, parameters: JsonObject = {}, outputUri = "") =>
  create(AnalysisSpecSchema, { uri: "file:///a.h5ad", task, parameters, outputUri });

/** Fields that a spec is refused for. */
function wrongFields(...spec: Parameters<typeof specOf>): string[] {
  try {
    taskOf(specOf(...spec));
  } catch (error) {
    return (error as { violations: { field: string }[] }).violations.map(({ field }) => field).sort();
  }
  return [];
}

test("unset parameters take their defaults, and the direction any case", () => {
  assert.deepEqual(
    taskOf(specOf("ListGenes", { orderBy: "dispersions", orderDirection: "desc", limit: 20 })),
    {
      name: "ListGenes",
      parameters: {
        selectFields: ["gene_names", "dispersions"],
        orderBy: "dispersions",
        orderDirection: "DESC",
        offset: 0,
        limit: 20,
        nTopGenes: 2_000,
      },
    },
  );
});

test("an unknown task is refused with the known ones", () => {
  for (const task of ["Nothing", "", "constructor"])
    assert.throws(() => taskOf(specOf(task)), {
      tag: "unknown-task",
      grpcCode: "invalid_argument",
      message: /ListGenes, GeneExpression, GetEmbedding/,
    });
});

test("every wrong parameter is named, unknown ones too", () => {
  assert.deepEqual(wrongFields("ListGenes", { limit: -1, offset: 1.5, orderDirection: "up" }), [
    "spec.parameters.limit",
    "spec.parameters.offset",
    "spec.parameters.orderDirection",
  ]);
  assert.deepEqual(wrongFields("ListGenes", { limits: 3 }), ["spec.parameters"]);
  assert.deepEqual(wrongFields("GeneExpression"), ["spec.parameters.genes"]);
  assert.deepEqual(wrongFields("GeneExpression", { genes: [] }), ["spec.parameters.genes"]);
  assert.deepEqual(wrongFields("GeneExpression", { genes: ["a", 7] }), ["spec.parameters.genes.1"]);
  assert.deepEqual(wrongFields("GetEmbedding", { type: "pca", nComponents: 0, matrix: "layer:" }), [
    "spec.parameters.matrix",
    "spec.parameters.nComponents",
  ]);
});

test("a result may not overwrite the file it comes from, and a file must be named", () => {
  assert.deepEqual(wrongFields("ListGenes", {}, "file:///a.h5ad"), ["spec.output_uri"]);
  assert.throws(() => taskOf({ ...specOf("ListGenes"), uri: "" }), {
    tag: "invalid-parameters",
    message: /spec\.uri/,
  });
});
