import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { csvLine, parseRecords, parseRows } from "./csv.ts";

async function* chunksOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

const all = async <T>(rows: AsyncIterable<T>) => Array.fromAsync(rows);

test("what is written comes back, however it is cut into chunks", async () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "é", '"', ",", "\n", "\r", " ", "1", "😀") });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 6 }),
      fc.integer({ min: 1, max: 9 }),
      async (rows, size) => {
        const text = rows.map(csvLine).join("");
        assert.deepEqual(await all(parseRows(chunksOf(text, size), "t")), rows);
      },
    ),
  );
});

test("blank lines, CRLF and a missing last line feed are nothing special", async () => {
  const rows = await all(parseRows(chunksOf("a,b\r\n\n1,2\n\n3,", 4), "t"));
  assert.deepEqual(rows, [
    ["a", "b"],
    ["1", "2"],
    ["3", ""],
  ]);
});

test("a quote within a value that has none around it is part of it", async () => {
  for (const size of [1, 3, 100])
    assert.deepEqual(await all(parseRows(chunksOf('5" disc,a"b"\n"x",y"\n1,""\n', size), "t")), [
      ['5" disc', 'a"b"'],
      ["x", 'y"'],
      ["1", ""],
    ]);
});

test("a broken table is named with what is wrong", async () => {
  const records = (text: string) => all(parseRecords(chunksOf(text, 5), "t.csv", ["a", "b"]));
  await assert.rejects(records("a,c\n1,2\n"), { tag: "bad-table", message: /t\.csv.*missing: b/ });
  await assert.rejects(records("a,b\n1\n"), { tag: "bad-table", message: /2 values in row 1, found 1/ });
  await assert.rejects(records('a,b\n"1,2\n'), { tag: "bad-table", message: /not closed/ });
  await assert.rejects(records('a,b\n"1"x,2\n'), { tag: "bad-table", message: /follows a closed quote/ });
  const latin = (async function* () {
    yield Buffer.from("a,b\né,1\n", "latin1");
  })();
  await assert.rejects(all(parseRows(latin, "t.csv")), {
    tag: "bad-table",
    message: /t\.csv: expected UTF-8/,
  });
  await assert.rejects(records(""), { tag: "bad-table", message: /found nothing/ });
});
