import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import { CellAnnotationSchema } from "@cytomesh/contracts/inference/v1/inference_service";
import { buildResource, compileOntology } from "@cytomesh/ontology";
import { confusionTable, scoreCalls } from "../demo-run/score.ts";
import { granularCaller } from "./granular-call.ts";
import { majorityCall } from "./grpc.ts";

const terms: [string, string, string[]][] = [
  ["CL:0000000", "cell", []],
  ["CL:0000542", "lymphocyte", ["CL:0000000"]],
  ["CL:0000084", "T cell", ["CL:0000542"]],
  ["CL:0000236", "B cell", ["CL:0000542"]],
];
const resource = buildResource(
  terms.map(([id, label, parents]) => ({ id, label, parents, obsolete: false, synonyms: [] })),
  { root: "CL:0000000", prefix: "CL:" },
);
const matches = (...list: [string, number][]) =>
  create(CellAnnotationSchema, {
    ontologyMatches: list.map(([cellTypeOntologyTermId, score]) => ({
      cellTypeOntologyTermId,
      score,
      cellType: `label of ${cellTypeOntologyTermId}`,
    })),
  });

test("the deepest term that scores enough is called, and of those the best", () => {
  const call = granularCaller(resource);
  const best = call(
    matches(["CL:0000000", 1], ["CL:0000084", 0.3], ["CL:0000236", 0.4], ["CL:0000542", 0.9]),
  );
  assert.deepEqual([best.termId, best.score], ["CL:0000236", 0.4]);
  assert.equal(call(matches(["CL:0000542", 0.5], ["CL:0000084", 0.19])).termId, "CL:0000542");
  assert.equal(call(matches()).label, "");
  // A term of another release neither wins nor keeps others from it.
  assert.equal(call(matches(["CL:9999999", 0.9], ["CL:0000542", 0.5])).termId, "CL:0000542");
});

test("the majority call is the first label with its share of the neighbours", () => {
  const summaryMatches = [
    { cellType: "T cell", cellCount: 3 },
    { cellType: "B cell", cellCount: 1 },
  ];
  const { label, score } = majorityCall(create(CellAnnotationSchema, { summaryMatches }));
  assert.deepEqual([label, score], ["T cell", 0.75]);
  assert.deepEqual(majorityCall(create(CellAnnotationSchema)), { label: "", termId: "", score: 0 });
});

test("calls are right when they are the truth, or less specific; cells without a truth do not count", () => {
  const ontology = compileOntology(resource);
  const call = (label: string, termId = "") => ({ label, termId, score: 1 });
  const calls = [
    call("T cell"),
    call("lymphocyte"),
    call("x", "CL:0000084"),
    call("B cell"),
    call("B cell"),
    call(""),
    call(""),
  ];
  const truth = [
    { label: "T cell", termId: "" },
    { label: "T cell", termId: "CL:0000084" },
    { label: "t", termId: "CL:0000084" },
    { label: "lymphocyte", termId: "" },
    { label: "T cell", termId: "" },
    { label: "", termId: "" },
    { label: "T cell", termId: "" },
  ];
  const score = scoreCalls(calls, truth, ontology);
  assert.deepEqual([score.exact, score.compatible, score.cells], [2, 3, 6]);
  assert.deepEqual(
    score.mistakes.map(({ truth: real, call: called, cells }) => [real, called, cells]),
    [
      ["lymphocyte", "B cell", 1],
      ["T cell", "B cell", 1],
      ["T cell", "(none)", 1],
    ],
  );
  assert.equal(scoreCalls(calls, truth, undefined).compatible, 2);
  const lines = confusionTable(calls.slice(3, 5), truth.slice(3, 5)).split("\n");
  assert.deepEqual(
    lines.map((line) => line.split(/ {2,}/)),
    [
      ["true \\ called", "B cell"],
      [lines[1]?.split(/ {2,}/)[0], "──────"],
      ["T cell", "1"],
      ["lymphocyte", "1"],
    ],
  );
});
