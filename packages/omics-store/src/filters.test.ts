import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { countCells } from "./count-cells.ts";
import { OmicsStoreError, type OmicsStoreErrorTag } from "./errors.ts";
import { filterToSql, parseFilters } from "./filters.ts";
import { readObs } from "./read-obs.ts";
import { inTempDir, type TestIngest, type Value, writeIngest } from "./test-tables.ts";
import type { ColumnType } from "./types.ts";

const tagged = (tag: OmicsStoreErrorTag, text?: RegExp) => (error: unknown) =>
  error instanceof OmicsStoreError && error.tag === tag && (text?.test(error.message) ?? true);

const columns: ColumnType[] = [
  { name: "cell_type", type: "string" },
  { name: "a__b", type: "string" },
  { name: 'x"; DROP TABLE t; --', type: "float" },
  { name: "age", type: "int" },
  { name: "ok", type: "bool" },
];

test("keys are split at the last double underscore, values become parameters, names are quoted", () => {
  const filters = parseFilters(
    {
      'x"; DROP TABLE t; --__gt': 1,
      a__b__in: ["it's", '"both"'],
      age__not_eq: 3,
      ok__eq: true,
      age__lt: 2.5,
    },
    columns,
  );
  const { sql, params } = filterToSql(filters);
  assert.equal(
    sql,
    '("a__b" IN (?, ?)) AND ("age" < CAST(? AS DOUBLE)) AND ("age" <> ?) AND ("ok" = ?) AND ("x""; DROP TABLE t; --" > ?)',
  );
  assert.deepEqual(params, ["it's", '"both"', 2.5, 3n, true, 1]);
});

test("no filters select everything", () => {
  assert.deepEqual(filterToSql(parseFilters({}, columns)), { sql: "TRUE", params: [] });
  assert.deepEqual(parseFilters(undefined, columns), []);
});

test("malformed filters are refused with what is wrong", () => {
  const cases: [unknown, OmicsStoreErrorTag, RegExp][] = [
    [[], "invalid_filter", /must be an object/],
    [{ age__eq: null }, "invalid_filter", /must be an object/],
    [{ age__eq: Number.NaN }, "invalid_filter", /must be an object/],
    [{ age: 3 }, "invalid_filter", /must end in/],
    [{ age__like: 3 }, "invalid_filter", /must end in/],
    [{ agee__eq: 3 }, "unknown_column", /Did you mean "age"\?.*Known columns: cell_type, a__b/],
    [{ b__eq: "x" }, "unknown_column", /no column "b"/],
    [{ age__eq: "3" }, "invalid_filter", /type int/],
    [{ age__eq: true }, "invalid_filter", /type int/],
    [{ ok__eq: 1 }, "invalid_filter", /type bool/],
    [{ cell_type__gt: "a" }, "invalid_filter", /compares numbers/],
    [{ age__in: 3 }, "invalid_filter", /needs a list/],
    [{ age__eq: [3] }, "invalid_filter", /needs one value/],
    [{ age__in: [] }, "invalid_filter", /empty/],
    [{ age__in: [1, "2"] }, "invalid_filter", /type int/],
    [{ age__eq: 2 ** 60 }, "invalid_filter", /2\^53/],
    [{ age__in: Array.from({ length: 10_001 }, (_, i) => i) }, "invalid_filter", /limit/],
    [{ __proto___eq: 1 }, "unknown_column", /no column/],
  ];
  for (const [json, tag, text] of cases)
    assert.throws(() => parseFilters(json, columns), tagged(tag, text), JSON.stringify(json));
});

/** SQL's rule in plain code: a missing value matches nothing. */
function matches(value: Value, op: string, wanted: unknown): boolean {
  if (value === null) return false;
  if (op === "eq") return value === wanted;
  if (op === "not_eq") return value !== wanted;
  if (op === "in") return (wanted as Value[]).includes(value);
  if (op === "not_in") return !(wanted as Value[]).includes(value);
  const [a, b] = [Number(value), Number(wanted)];
  return op === "gt" ? a > b : op === "gte" ? a >= b : op === "lt" ? a < b : a <= b;
}

test("filters select what a plain evaluator selects", async () => {
  const text = fc.constantFrom("", "a", "A", "it's", '"', "é", "e\u0301", "😀", "a\0b", "NULL", "%");
  const whole = fc.oneof(
    fc.integer({ min: -2, max: 2 }),
    fc.constantFrom(Number.MAX_SAFE_INTEGER, -(2 ** 31)),
  );
  const real = fc.oneof(fc.constantFrom(0.1, -0.5, 1e-300, 1e300, 2), fc.integer({ min: -2, max: 2 }));
  const orNull = <T>(a: fc.Arbitrary<T>) => fc.option(a, { nil: null, freq: 4 });
  const obs = fc.record({
    s: orNull(text),
    "i __x": orNull(whole),
    f: orNull(real),
    b: orNull(fc.boolean()),
  });
  const numeric = fc.constantFrom("eq", "not_eq", "gt", "gte", "lt", "lte");
  const filter = fc.oneof(
    fc.tuple(fc.constant("s"), fc.constantFrom("eq", "not_eq"), text),
    fc.tuple(
      fc.constant("s"),
      fc.constantFrom("in", "not_in"),
      fc.array(text, { minLength: 1, maxLength: 4 }),
    ),
    fc.tuple(fc.constant("i __x"), numeric, fc.oneof(whole, fc.constantFrom(0.5, -1.5))),
    fc.tuple(
      fc.constant("i __x"),
      fc.constantFrom("in", "not_in"),
      fc.array(fc.oneof(whole, fc.constant(0.5)), { minLength: 1, maxLength: 4 }),
    ),
    fc.tuple(fc.constant("f"), numeric, real),
    fc.tuple(
      fc.constant("f"),
      fc.constantFrom("in", "not_in"),
      fc.array(real, { minLength: 1, maxLength: 4 }),
    ),
    fc.tuple(fc.constant("b"), fc.constantFrom("eq", "not_eq"), fc.boolean()),
    fc.tuple(
      fc.constant("b"),
      fc.constantFrom("in", "not_in"),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 2 }),
    ),
  );
  const asks = fc.array(fc.array(filter, { maxLength: 3 }), { minLength: 5, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(obs, { minLength: 1, maxLength: 30 }), asks, async (rows, questions) => {
      const ingest: TestIngest = {
        id: "i",
        cellIdStart: 10,
        featureIdStart: 0,
        genes: ["g"],
        countsType: "int32",
        schema: [
          { name: "s", type: "string" },
          { name: "i __x", type: "int" },
          { name: "f", type: "float" },
          { name: "b", type: "bool" },
        ],
        cells: rows.map((r, i) => ({ original: `c${i}`, obs: r, entries: [] })),
      };
      await inTempDir(async (dir) => {
        await writeIngest(dir, ingest);
        for (const question of questions) {
          const filters = Object.fromEntries(
            question.map(([column, op, value]) => [`${column}__${op}`, value]),
          );
          const kept = Object.entries(filters).map(([key, value]) => {
            const cut = key.lastIndexOf("__");
            return { column: key.slice(0, cut) as keyof (typeof rows)[0], op: key.slice(cut + 2), value };
          });
          const expected = rows.flatMap((row, i) =>
            kept.every(({ column, op, value }) => matches(row[column], op, value)) ? [10 + i] : [],
          );
          const found = await readObs([dir], { columns: [], filters });
          assert.deepEqual([...found.cellIds], expected, JSON.stringify(filters));
          assert.equal(await countCells([dir], filters), expected.length);
        }
      });
    }),
    { seed: 7, numRuns: 12, endOnFailure: true },
  );
});
