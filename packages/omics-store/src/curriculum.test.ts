import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { readAssignments } from "./assignments.ts";
import { readCurriculum } from "./curriculum.ts";
import { OmicsStoreError, type OmicsStoreErrorTag } from "./errors.ts";
import { extractBins } from "./extract.ts";
import { farmFingerprint } from "./fingerprint.ts";
import { readMeasuredGenes } from "./measured-genes.ts";
import { prepareCurriculum } from "./prepare.ts";
import { inTempDir, type TestIngest, type Value, valueAt, writeIngest } from "./test-tables.ts";
import type { BinData, CurriculumRequest, ObsField } from "./types.ts";

const tagged = (tag: OmicsStoreErrorTag, text?: RegExp) => (error: unknown) =>
  error instanceof OmicsStoreError && error.tag === tag && (text?.test(error.message) ?? true);

interface PlainBin {
  ids: number[];
  dense: number[][];
  obs: Record<string, Value[]>;
}

/** Bins by the definition, over plain rows. */
function referenceBins(
  ingests: TestIngest[],
  request: CurriculumRequest,
  keep: (o: Row) => boolean,
): PlainBin[] {
  const rows = ingests.flatMap((ingest) =>
    ingest.cells.map(
      (cell, i): Row => ({ ingest, id: ingest.cellIdStart + i, obs: cell.obs, entries: cell.entries }),
    ),
  );
  const groups = new Map<string | null, Row[]>();
  for (const row of rows.filter(keep)) {
    const values = (request.binKeys ?? []).map((key) => row.obs[key] ?? null);
    const key = values.includes(null) ? null : values.join("##");
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const finger = (row: Row): bigint => farmFingerprint((BigInt(row.id) + BigInt(request.seed)).toString());
  const utf8 = (key: string | null): Buffer => Buffer.from(key === null ? "" : `k${key}`);
  return [...groups]
    .sort(([a], [b]) => Buffer.compare(utf8(a), utf8(b)))
    .flatMap(([, members]) => {
      const ranked = members.sort((a, b) =>
        finger(a) === finger(b) ? a.id - b.id : finger(a) < finger(b) ? -1 : 1,
      );
      const bins: Row[][] = [];
      for (let i = 0; i < ranked.length; i += request.binSize)
        bins.push(ranked.slice(i, i + request.binSize));
      return bins;
    })
    .map((cells) => ({
      ids: cells.map((c) => c.id),
      dense: cells.map((c) => denseRow(c, request.features)),
      obs: Object.fromEntries(
        request.obsColumns.map((name) => [name, cells.map((c) => c.obs[name] ?? null)]),
      ),
    }));
}

interface Row {
  ingest: TestIngest;
  id: number;
  obs: Record<string, Value>;
  entries: [number, number][];
}

const denseRow = (row: Row, features: string[]): number[] =>
  features.map((f) => row.entries.reduce((sum, [g, v]) => (row.ingest.genes[g] === f ? sum + v : sum), 0));

function plainBin(bin: BinData): PlainBin {
  const { rows } = bin;
  const dense = bin.index.map((_, r) => {
    const row = new Array<number>(rows.nCols).fill(0);
    for (let k = rows.indptr[r]!; k < rows.indptr[r + 1]!; k++) {
      if (k > rows.indptr[r]!)
        assert.ok(rows.indices[k]! > rows.indices[k - 1]!, "indices ascend within a row");
      assert.notEqual(rows.data[k], 0, "no explicit zero");
      row[rows.indices[k]!] = rows.data[k]!;
    }
    return row;
  });
  assert.equal(rows.indices.length, rows.indptr[rows.nRows]);
  assert.deepEqual(bin.index, [...bin.cellIds].map(String));
  const obs = Object.entries(bin.obs).map(([name, column]) => [
    name,
    bin.index.map((_, i) => valueAt(column, i)),
  ]);
  return { ids: [...bin.cellIds], dense, obs: Object.fromEntries(obs) };
}

async function extractAll(
  ingestDirs: string[],
  curriculumDir: string,
  bins: number[],
  memoryBytes?: number,
): Promise<{ bins: PlainBin[]; raw: BinData[] }> {
  const raw: BinData[] = [];
  const onBin = async (bin: BinData): Promise<void> => void raw.push(bin);
  await extractBins({ ingestDirs, curriculumDir, bins, onBin, ...(memoryBytes ? { memoryBytes } : {}) });
  return { bins: raw.map(plainBin), raw };
}

const schema: ObsField[] = [
  { name: "cell type", type: "string" },
  { name: "Donor", type: "string" },
  { name: "donor", type: "int" },
  { name: "purity", type: "float" },
  { name: 'weird "ö" 😀', type: "bool" },
];
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 4 });
const anObs = fc.record({
  "cell type": orNull(fc.constantFrom("T cell", "B cell", "", "NK ## 😀", "é", "\ufffd")),
  Donor: orNull(fc.constantFrom("d1", "d2")),
  donor: orNull(fc.integer({ min: -3, max: 3 })),
  purity: orNull(fc.constantFrom(0.5, -1, 1e300)),
  'weird "ö" 😀': orNull(fc.boolean()),
});

const someIngests = fc
  .array(
    fc.record({
      genes: fc.array(fc.constantFrom("g0", "g1", "g2", "g3", "g4", "other"), { minLength: 1, maxLength: 7 }),
      dropColumn: fc.constantFrom("", "cell type", "purity"),
      countsType: fc.constantFrom("int32" as const, "float32" as const),
      cells: fc.array(
        fc.record({
          obs: anObs,
          picks: fc.array(fc.tuple(fc.nat(6), fc.integer({ min: -2, max: 5 })), { maxLength: 8 }),
        }),
        { maxLength: 40 },
      ),
      gap: fc.nat(100),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((list) => {
    let next = 0;
    return list.map(({ genes, dropColumn, countsType, cells, gap }, i): TestIngest => {
      const cellIdStart = next + gap;
      next = cellIdStart + cells.length;
      const scale = countsType === "float32" ? 0.5 : 1;
      return {
        id: `ingest '${i}'`,
        cellIdStart,
        featureIdStart: i * 1000,
        genes,
        countsType,
        schema: schema.filter((f) => f.name !== dropColumn),
        cells: cells.map(({ obs, picks }, c) => ({
          original: `cell-${c}`,
          obs: { ...obs, ...(dropColumn ? { [dropColumn]: null } : {}) },
          entries: picks.map(([g, v]): [number, number] => [g % genes.length, v * scale]),
        })),
      };
    });
  })
  // Some column must exist in one ingest at least to be asked for.
  .filter((list) => schema.every((f) => list.some((i) => i.schema.includes(f))));

test("ingest → prepare → extract equals a plain implementation of the rules", async () => {
  const request = fc.record({
    features: fc.constantFrom<string[][]>(["g3", "g1", "absent", "g0"], ["g0", "g1", "g2", "g3", "g4"]),
    binSize: fc.constantFrom(1, 4, 10, 1000),
    binKeys: fc.constantFrom<string[][]>([], ["cell type"], ["Donor", "donor"]),
    seed: fc.constantFrom(0, 17, -4, Number.MAX_SAFE_INTEGER),
    categoryLimit: fc.constantFrom(2000, 2),
  });
  await fc.assert(
    fc.asyncProperty(someIngests, request, fc.boolean(), async (ingests, rest, filtered) => {
      const filters = filtered ? { donor__gte: 0, "cell type__not_in": ["B cell"] } : {};
      const full = { ...rest, filters, obsColumns: schema.map((f) => f.name) };
      const keep = ({ obs }: Row): boolean =>
        !filtered ||
        (obs.donor !== null &&
          Number(obs.donor) >= 0 &&
          obs["cell type"] !== null &&
          obs["cell type"] !== "B cell");
      const expected = referenceBins(ingests, full, keep);
      await inTempDir(async (dir) => {
        const dirs = ingests.map((_, i) => join(dir, `ingest=${i}`));
        for (const [i, ingest] of ingests.entries())
          await writeIngest(dirs[i]!, ingest, 7, { filesMaxCells: 16, pageCells: 4 });
        const outDir = join(dir, "curriculum");
        const prepared = prepareCurriculum({ ingestDirs: dirs, request: full, outDir });
        if (expected.length === 0) return assert.rejects(prepared, tagged("no_cells"));
        const manifest = await prepared;
        assert.deepEqual(
          manifest.bins.map((b) => b.cells),
          expected.map((b) => b.ids.length),
        );
        assert.equal(manifest.lastBinCells, expected.at(-1)!.ids.length);
        assert.deepEqual(await readCurriculum(outDir), manifest);
        const all = manifest.bins.map((b) => b.bin);
        const { bins, raw } = await extractAll([...dirs].reverse(), outDir, all);
        assert.deepEqual(bins, expected);
        for (const { obs } of raw)
          for (const [name, column] of Object.entries(obs))
            if (column.kind === "categorical") assert.deepEqual(column.categories, manifest.categories[name]);
        const tiny = await extractAll(dirs, outDir, [...all].reverse(), 1);
        assert.deepEqual(tiny.bins.reverse(), expected, "one bin at a time gives the same bins");
        const measured = await readMeasuredGenes(outDir);
        assert.deepEqual(
          new Map(measured.map((m) => [m.ingestId, [...m.measured]])),
          new Map(ingests.map((i) => [i.id, rest.features.map((f) => (i.genes.includes(f) ? 1 : 0))])),
        );
      });
    }),
    { seed: 20, numRuns: 20, endOnFailure: true },
  );
});

function seeded(id: string, cellIdStart: number, cells: number): TestIngest {
  let state = cellIdStart + 1;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  return {
    id,
    cellIdStart,
    featureIdStart: cellIdStart,
    genes: Array.from({ length: 50 }, (_, g) => `g${g}`),
    countsType: "int32",
    schema: [
      { name: "kind", type: "string" },
      { name: "age", type: "int" },
    ],
    cells: Array.from({ length: cells }, (_, c) => ({
      original: `c${c}`,
      obs: { kind: ["a", "b", null][random(3)]!, age: random(90) },
      entries: Array.from({ length: 10 }, (): [number, number] => [random(50), 1 + random(9)]),
    })),
  };
}

const request: CurriculumRequest = {
  filters: { age__gte: 5 },
  features: Array.from({ length: 30 }, (_, g) => `g${49 - g}`),
  binSize: 1000,
  seed: 1,
  obsColumns: ["kind", "age", "n_counts", "ingest_id"],
};

const bytesOf = async (dir: string): Promise<Map<string, Buffer>> =>
  new Map(
    await Promise.all(
      (await readdir(dir)).sort().map(async (f) => [f, await readFile(join(dir, f))] as const),
    ),
  );

test("the same request gives the same bytes, whatever the order of ingests and of filter keys", async () => {
  await inTempDir(async (dir) => {
    const dirs = [join(dir, "a"), join(dir, "b")];
    await writeIngest(dirs[0]!, seeded("a", 0, 3000), 1000);
    await writeIngest(dirs[1]!, seeded("b", 3000, 2500), 1000);
    const first = join(dir, "first");
    const second = join(dir, "second");
    const filters = { age__gte: 5, kind__in: ["a", "b"] };
    const manifest = await prepareCurriculum({
      ingestDirs: dirs,
      request: { ...request, filters },
      outDir: first,
    });
    const turned = { kind__in: ["a", "b"], age__gte: 5 };
    await prepareCurriculum({
      ingestDirs: [...dirs].reverse(),
      request: { ...request, filters: turned },
      outDir: second,
    });
    assert.deepEqual(await bytesOf(second), await bytesOf(first));
    const all = manifest.bins.map((b) => b.bin);
    const once = (await extractAll(dirs, first, all)).raw;
    const again = (await extractAll([...dirs].reverse(), second, all, 50_000)).raw;
    assert.deepEqual(again, once);
    assert.deepEqual(Object.keys(once[0]!.obs), request.obsColumns);
  });
});

test("a curriculum folder answers the same request again and refuses another one", async () => {
  await inTempDir(async (dir) => {
    const ingestDirs = [join(dir, "a")];
    await writeIngest(ingestDirs[0]!, seeded("a", 0, 20));
    const outDir = join(dir, "c");
    const manifest = await prepareCurriculum({ ingestDirs, request, outDir });
    assert.deepEqual(await prepareCurriculum({ ingestDirs, request, outDir }), manifest);
    const other = prepareCurriculum({ ingestDirs, request: { ...request, seed: 2 }, outDir });
    await assert.rejects(other, tagged("already_exists"));
  });
});

test("columns called like object members or store columns come through every step", async () => {
  await inTempDir(async (dir) => {
    const names = ["__proto__", "constructor", "toString", "position", 'a"b'];
    const cells = [0, 1].map((i) => ({
      original: `c${i}`,
      obs: Object.fromEntries(names.map((name) => [name, `${name} ${i}`])),
      entries: [[0, 1]] as [number, number][],
    }));
    const schema = names.map((name) => ({ name, type: "string" as const }));
    await writeIngest(dir, { ...seeded("a", 0, 0), genes: ["g0"], schema, cells });
    const obsColumns = names.map((name) => (["position", "__proto__"].includes(name) ? `obs_${name}` : name));
    const curriculumDir = join(dir, "c");
    const filters = { obs___proto____in: ["__proto__ 0", "__proto__ 1"], constructor__not_eq: "x" };
    for (const categoryLimit of [0, 10]) {
      const outDir = `${curriculumDir}${categoryLimit}`;
      const asked = { ...request, filters, obsColumns, categoryLimit, features: ["g0"] };
      await prepareCurriculum({ ingestDirs: [dir], request: asked, outDir });
      const { raw } = await extractAll([dir], outDir, [0]);
      const assigned = await readAssignments(outDir, { columns: obsColumns });
      assert.deepEqual(assigned.cellIds, raw[0]!.cellIds);
      for (const [i, name] of obsColumns.entries()) {
        const column = raw[0]!.obs[name]!;
        assert.equal(column.kind, categoryLimit === 0 ? "string" : "categorical");
        assert.deepEqual(assigned.columns[name], column);
        for (const [row, id] of raw[0]!.cellIds.entries())
          assert.equal(valueAt(column, row), `${names[i]} ${id}`);
      }
    }
  });
});

test("bins that divide evenly leave a full last bin", async () => {
  await inTempDir(async (dir) => {
    const ingestDirs = [join(dir, "a")];
    await writeIngest(ingestDirs[0]!, seeded("a", 0, 20));
    const exact = { ...request, filters: {}, binSize: 5 };
    const manifest = await prepareCurriculum({ ingestDirs, request: exact, outDir: join(dir, "c") });
    assert.equal(manifest.bins.length, 4);
    assert.equal(manifest.lastBinCells, 5);
  });
});

test("an empty selection names the filter that removes everything", async () => {
  await inTempDir(async (dir) => {
    const ingestDirs = [join(dir, "a")];
    await writeIngest(ingestDirs[0]!, seeded("a", 0, 20));
    const attempt = (filters: unknown) =>
      prepareCurriculum({ ingestDirs, request: { ...request, filters }, outDir: join(dir, "c") });
    await assert.rejects(
      attempt({ kind__eq: "absent", age__gte: 0 }),
      tagged("no_cells", /kind__eq alone removes all/),
    );
    await assert.rejects(attempt({ age__lt: 45, age__gte: 45 }), tagged("no_cells", /together none/));
    await assert.rejects(attempt({ knd__eq: "a" }), tagged("unknown_column", /Did you mean "kind"/));
  });
});

test("wrong requests are refused with a reason", async () => {
  await inTempDir(async (dir) => {
    const ingestDirs = [join(dir, "a")];
    await writeIngest(ingestDirs[0]!, seeded("a", 0, 5));
    const attempt = (change: Partial<CurriculumRequest>, dirs = ingestDirs) =>
      prepareCurriculum({ ingestDirs: dirs, request: { ...request, ...change }, outDir: join(dir, "c") });
    await assert.rejects(attempt({ features: [] }), tagged("invalid_request"));
    await assert.rejects(
      attempt({ features: ["g1", "g1"] }),
      tagged("invalid_request", /"g1" is in the schema twice/),
    );
    await assert.rejects(attempt({ binSize: 0 }), tagged("invalid_request"));
    await assert.rejects(attempt({ seed: 0.5 }), tagged("invalid_request"));
    await assert.rejects(attempt({ obsColumns: ["age", "age"] }), tagged("invalid_request"));
    await assert.rejects(attempt({ obsColumns: ["nope"] }), tagged("unknown_column"));
    await assert.rejects(attempt({ binKeys: ["nope"] }), tagged("unknown_column"));
    await assert.rejects(
      attempt({}, [...ingestDirs, ...ingestDirs]),
      tagged("invalid_request", /given twice/),
    );
    await assert.rejects(attempt({}, []), tagged("invalid_request"));
    await assert.rejects(attempt({}, [join(dir, "nowhere")]), tagged("not_found"));
    await writeIngest(join(dir, "b"), { ...seeded("b", 3, 5) });
    await assert.rejects(attempt({}, [...ingestDirs, join(dir, "b")]), tagged("invalid_request", /overlap/));
  });
});

test("extraction insists on the ingests and bins of the curriculum", async () => {
  await inTempDir(async (dir) => {
    const ingestDirs = [join(dir, "a")];
    await writeIngest(ingestDirs[0]!, seeded("a", 0, 20));
    const curriculumDir = join(dir, "c");
    await prepareCurriculum({ ingestDirs, request, outDir: curriculumDir });
    await writeIngest(join(dir, "other"), seeded("b", 0, 20));
    await writeIngest(join(dir, "changed"), seeded("a", 0, 21));
    const attempt = (dirs: string[], bins: number[]) =>
      extractBins({ ingestDirs: dirs, curriculumDir, bins, onBin: async () => {} });
    await assert.rejects(attempt([join(dir, "other")], [0]), tagged("ingest_mismatch", /not given/));
    await assert.rejects(attempt([join(dir, "changed")], [0]), tagged("ingest_mismatch", /differs/));
    await assert.rejects(attempt(ingestDirs, [1]), tagged("not_found"));
    await assert.rejects(attempt(ingestDirs, [0, 0]), tagged("invalid_request"));
  });
});

test("an aborted signal cancels, and an error of onBin comes out unchanged", async () => {
  await inTempDir(async (dir) => {
    const ingestDirs = [join(dir, "a")];
    await writeIngest(ingestDirs[0]!, seeded("a", 0, 200));
    const curriculumDir = join(dir, "c");
    const small = { ...request, binSize: 10 };
    const gone = AbortSignal.abort();
    await assert.rejects(
      prepareCurriculum({ ingestDirs, request: small, outDir: curriculumDir, signal: gone }),
      tagged("cancelled"),
    );
    await prepareCurriculum({ ingestDirs, request: small, outDir: curriculumDir });
    const controller = new AbortController();
    let seen = 0;
    const attempt = extractBins({
      ingestDirs,
      curriculumDir,
      bins: [0, 1, 2, 3],
      signal: controller.signal,
      onBin: async () => {
        seen++;
        controller.abort();
      },
    });
    await assert.rejects(attempt, tagged("cancelled"));
    assert.equal(seen, 1);
    const failure = new Error("disk full");
    const onBin = async () => {
      throw failure;
    };
    await assert.rejects(extractBins({ ingestDirs, curriculumDir, bins: [0], onBin }), failure);
  });
});
