import assert from "node:assert/strict";
import test from "node:test";
import { lineageText } from "./look.ts";

const node = (kind: string, name: string, parents: string[], facts: Record<string, string> = {}) => ({
  kind,
  name,
  sha256: `${name.repeat(20)}`,
  parents,
  facts,
});

test("lineage is a tree in which every node is told once, whatever rests on what", () => {
  const nodes = [
    node("index", "i", ["embedding/e", "model/m", "gone/x"], { cells: "12", metric: "cosine" }),
    node("embedding", "e", ["model/m"]),
    node("model", "m", ["ingest/a"]),
    { ...node("ingest", "a", ["index/i"], { source: "bad\u001bname.h5ad" }), sha256: "" },
  ];
  assert.equal(
    lineageText(nodes),
    [
      `index i  sha256 ${"i".repeat(12)}  cells 12, metric cosine`,
      `  embedding e  sha256 ${"e".repeat(12)}`,
      `    model m  sha256 ${"m".repeat(12)}`,
      "      ingest a  source bad?name.h5ad",
      "        index i  (above)",
      "  model m  (above)",
    ].join("\n"),
  );
  assert.equal(lineageText([]), "");
});
