import assert from "node:assert/strict";
import test from "node:test";
import { csvLine, formatCount, formatSeconds, formatSize, printable, printableLines, table } from "./text.ts";

test("numbers, durations and sizes read as people write them", () => {
  assert.equal(formatCount(1_234_567), "1,234,567");
  assert.equal(formatCount(2n ** 60n), "1,152,921,504,606,846,976");
  assert.deepEqual([0, 940, 59_940, 59_960, 83_400, 119_700, 3_599_999].map(formatSeconds), [
    "0.0 s",
    "0.9 s",
    "59.9 s",
    "1m 0s",
    "1m 23s",
    "2m 0s",
    "60m 0s",
  ]);
  assert.deepEqual([0, 1023, 1536, 2 ** 40 * 5000].map(formatSize), [
    "0 B",
    "1023 B",
    "1.5 KiB",
    "5000.0 TiB",
  ]);
});

test("a table lines its columns up, columns of numbers to the right", () => {
  assert.equal(
    table(
      ["name", "cells", ""],
      [
        ["a", "1,000", "x"],
        ["longer", 7, ""],
      ],
    ),
    ["name    cells", "──────  ─────  ─", "a       1,000  x", "longer      7"].join("\n"),
  );
  assert.equal(table(["a", "bc"], []), "a  bc\n─  ──");
});

test("control characters never reach the terminal, not even those of the second range", () => {
  assert.equal(printable("a\u001b[31mb\u0007\n\t\u007f\u009b2Jé😀"), "a?[31mb?????2Jé😀");
  assert.equal(printableLines("a\u0000\nb\r"), "a?\nb?");
});

test("a CSV field is quoted when it must be", () => {
  assert.equal(csvLine(["a", "b,c", 'd"e', "f\ng", "h\ri", "", " j "]), 'a,"b,c","d""e","f\ng","h\ri",, j ');
});
