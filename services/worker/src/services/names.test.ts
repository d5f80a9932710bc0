import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { RunTaskResponseSchema } from "@cytomesh/contracts/worker/v1/analysis_service";
import fc from "fast-check";
import { closeNames } from "./close-names.ts";
import { likeMatcher } from "./like.ts";
import { structBytesOf } from "./struct-bytes.ts";

test("% stands for any text and nothing else is special, as a regular expression would say", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", ".", "_", "*") });
  const pattern = fc.string({ unit: fc.constantFrom("a", "B", ".", "_", "%", "%") });
  fc.assert(
    fc.property(text, pattern, (name, like) => {
      const source = like.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("%", "[^]*");
      assert.equal(likeMatcher(like)(name), new RegExp(`^${source}$`, "i").test(name));
    }),
    { numRuns: 2_000 },
  );
});

test("a pattern of many wildcards costs no more than a long one", () => {
  const matches = likeMatcher(`${"%a".repeat(5_000)}%b`);
  assert.equal(matches("a".repeat(100_000)), false);
  assert.equal(matches(`${"a".repeat(100_000)}b`), true);
});

test("close names: other case first, then longer ones, then few edits, at most five", () => {
  const names = ["TGFB1", "TGFB2", "TGFBR1", "CST3", "CD3D", "CD3E", "cd3d-like", "MT-CO1"];
  assert.equal(closeNames("cst3", names)[0], "CST3");
  assert.deepEqual(closeNames("TGFB", names), ["TGFB1", "TGFB2", "TGFBR1"]);
  assert.equal(closeNames("CTS3", names)[0], "CST3");
  assert.deepEqual(closeNames("MTCO1", names), ["MT-CO1"]);
  assert.deepEqual(closeNames("WHATEVER", names), []);
  assert.ok(
    closeNames(
      "CD",
      Array.from({ length: 100 }, (_, i) => `CD${i}`),
    ).length <= 5,
  );
  assert.deepEqual(closeNames("x".repeat(10_000), names), []);
});

test("the size of a Struct is what its encoding has", () => {
  const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }));
  fc.assert(
    fc.property(json, (value) => {
      const result = value as JsonObject;
      const encoded = toBinary(RunTaskResponseSchema, create(RunTaskResponseSchema, { result }));
      // The response around it: one tag and the length.
      const around = 1 + Math.max(1, Math.ceil(Math.log2(structBytesOf(result) + 1) / 7));
      assert.equal(structBytesOf(result) + around, encoded.length);
    }),
  );
});
