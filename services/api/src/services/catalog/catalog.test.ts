import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { suite, type TestContext, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  CurriculumSchema,
  CurriculumState,
  EmbeddingSchema,
  IndexSchema,
  ModelSchema,
  OntologySchema,
} from "@cytomesh/contracts/catalog/v1/resources";
import { ApiError } from "../../errors.ts";
import { createTestPlane, type TestPlane } from "../testing.ts";

const tagged = (tag: string) => (error: unknown) => error instanceof ApiError && error.tag === tag;
const sha = (text: string) => createHash("sha256").update(text).digest("hex");

const begin = (plane: TestPlane, content: string, dataset = "pbmc") =>
  plane.catalog.beginIngest({
    ...{ dataset, sha256: sha(content), optionsFingerprint: "o1", jobId: "j1", tag: "t" },
    sourceUri: `file:///data/${content}.h5ad`,
  });

const curriculum = (more: MessageInitShape<typeof CurriculumSchema> = {}) =>
  create(CurriculumSchema, {
    ...{ name: "c1", dataset: "pbmc", featureSchema: "genes", uri: "file:///store/curricula/c1" },
    ...{ manifestSha256: sha("m"), cells: 4n, bins: 1, lastBinCells: 4, binSize: 10, jobId: "j2" },
    filters: { cell_type__in: ["T", "B"], age__gte: 0.1 },
    ...more,
  });

const model = (more: MessageInitShape<typeof ModelSchema> = {}) =>
  create(ModelSchema, {
    ...{ name: "m1", kind: "pca", uri: "file:///store/m1.onnx", sha256: sha("onnx") },
    ...{ featureSchema: "genes", dimension: 2, curriculum: "c1", jobId: "j3" },
    parameters: { scale: true, loss: -0, ratio: [0.7, 0.1] },
    ...more,
  });

const embedding = (more: MessageInitShape<typeof EmbeddingSchema> = {}) =>
  create(EmbeddingSchema, {
    ...{ name: "m1.c1", model: "m1", curriculum: "c1", uri: "file:///store/e", manifestSha256: sha("e") },
    ...{ cells: 4n, dimension: 2, jobId: "j4" },
    ...more,
  });

const index = (more: MessageInitShape<typeof IndexSchema> = {}) =>
  create(IndexSchema, {
    ...{ name: "i1", embedding: "m1.c1", model: "m1", uri: "file:///store/i", manifestSha256: sha("i") },
    ...{ kind: "exact", metric: "cosine", cells: 4n, dimension: 2, ontology: "cl", jobId: "j5" },
    ...more,
  });

const ontology = create(OntologySchema, {
  ...{ name: "cl", uri: "file:///store/cl.json", sha256: sha("cl"), terms: 3, columnName: "cell_type" },
});

/** A catalog with one of everything up to the embedding. */
async function filled(t: TestContext): Promise<TestPlane & { ingestIds: string[] }> {
  const plane = await createTestPlane(t);
  await plane.catalog.createDataset({ name: "pbmc", description: "" });
  const ingestIds: string[] = [];
  for (const content of ["a", "b"]) {
    const { id } = await begin(plane, content);
    await plane.catalog.reserveIds({ ingestId: id, cells: 2n, features: 3n });
    await plane.catalog.commitIngest({
      ingestId: id,
      manifestSha256: sha(`manifest ${content}`),
      jobId: "j1",
    });
    ingestIds.push(id);
  }
  await plane.catalog.createFeatureSchema({ name: "genes", featureIds: ["ENSG1", "ENSG2"] });
  await plane.catalog.register("ontology", ontology);
  await plane.catalog.register("curriculum", curriculum({ ingestIds }));
  await plane.catalog.register("model", model());
  await plane.catalog.register("embedding", embedding());
  return Object.assign(plane, { ingestIds });
}

suite("ingests", () => {
  test("the same content is the same ingest, with the same ranges, through failure and retry", async (t) => {
    const plane = await createTestPlane(t);
    const dataset = await plane.catalog.createDataset({ name: "pbmc", description: "d" });
    assert.equal(dataset.uri, "file:///store/datasets/pbmc");
    assert.deepEqual(await plane.catalog.createDataset({ name: "pbmc", description: "other" }), dataset);
    const first = await begin(plane, "a");
    const hash = sha(`pbmc\n${sha("a")}\no1`);
    assert.equal(first.id, `ing-${hash.slice(0, 16)}`);
    assert.equal(first.uri, `file:///store/datasets/pbmc/ingests/${first.id}`);
    const early = { ingestId: first.id, manifestSha256: sha("m"), jobId: "j" };
    await assert.rejects(plane.catalog.commitIngest(early), tagged("failed_precondition"));
    const sizes = { ingestId: first.id, cells: 10n, features: 5n };
    const reserved = await plane.catalog.reserveIds(sizes);
    assert.deepEqual([reserved.cellIdStart, reserved.featureIdStart], [1n, 1n]);
    assert.deepEqual(await plane.catalog.reserveIds(sizes), reserved);
    const other = plane.catalog.reserveIds({ ...sizes, cells: 11n });
    await assert.rejects(other, tagged("failed_precondition"));
    await plane.catalog.failIngest({ ingestId: first.id, error: "disk full" });
    const again = await begin(plane, "a");
    assert.deepEqual([again.id, again.state, again.error, again.cellIdStart], [first.id, "started", "", 1n]);
    const second = await begin(plane, "b");
    const next = await plane.catalog.reserveIds({ ingestId: second.id, cells: 1n, features: 1n });
    assert.deepEqual([next.cellIdStart, next.featureIdStart], [11n, 6n]);
  });

  test("a commit counts once, and is final", async (t) => {
    const plane = await createTestPlane(t);
    await plane.catalog.createDataset({ name: "pbmc", description: "" });
    const { id } = await begin(plane, "a");
    await plane.catalog.reserveIds({ ingestId: id, cells: 10n, features: 5n });
    const request = { ingestId: id, manifestSha256: sha("m"), jobId: "j" };
    const commits = await Promise.all([1, 2, 3, 4].map(() => plane.catalog.commitIngest(request)));
    for (const commit of commits) assert.equal(commit.state, "committed");
    const { cells, ingests } = await plane.catalog.getDataset("pbmc");
    assert.deepEqual([cells, ingests], [10n, 1]);
    const other = plane.catalog.commitIngest({ ...request, manifestSha256: sha("n") });
    await assert.rejects(other, tagged("already_exists"));
    assert.equal((await plane.catalog.failIngest({ ingestId: id, error: "x" })).state, "committed");
    assert.equal((await begin(plane, "a")).state, "committed");
    const more = plane.catalog.reserveIds({ ingestId: id, cells: 10n, features: 5n });
    await assert.rejects(more, tagged("failed_precondition"));
    await plane.dispatcher.drain();
    assert.deepEqual(
      plane.publisher.facts.map(({ subject }) => subject),
      [`events.ingest.${id}.committed`],
    );
  });

  test("50 reservations at once get disjoint ranges without gaps", async (t) => {
    const plane = await createTestPlane(t);
    await plane.catalog.createDataset({ name: "pbmc", description: "" });
    const sizes = Array.from({ length: 50 }, (_, i) => BigInt(1 + ((i * 7) % 13)));
    const ingests = await Promise.all(
      sizes.map(async (cells, i) => {
        const { id } = await begin(plane, `f${i}`);
        return await plane.catalog.reserveIds({ ingestId: id, cells, features: cells + 1n });
      }),
    );
    for (const [start, size] of [
      ["cellIdStart", "cells"],
      ["featureIdStart", "features"],
    ] as const) {
      let next = 1n;
      for (const ingest of ingests.toSorted((a, b) => Number(a[start]! - b[start]!))) {
        assert.equal(ingest[start], next);
        next += ingest[size]!;
      }
    }
  });

  test("lists filter and page newest first", async (t) => {
    const plane = await createTestPlane(t);
    for (const name of ["pbmc", "lung"]) await plane.catalog.createDataset({ name, description: "" });
    const ids: string[] = [];
    for (const content of ["a", "b", "c"]) {
      ids.unshift((await begin(plane, content)).id);
      plane.clock.advance(1);
    }
    await begin(plane, "a", "lung");
    const request = { pageSize: 2, pageToken: "", dataset: "pbmc", states: ["started"] } as const;
    const first = await plane.catalog.listIngests(request);
    const second = await plane.catalog.listIngests({ ...request, pageToken: first.nextPageToken });
    assert.deepEqual(
      [...first.entries, ...second.entries].map(({ id }) => id),
      ids,
    );
    assert.equal(second.nextPageToken, "");
    const bad = plane.catalog.listDatasets({ pageSize: 2, pageToken: "x" });
    await assert.rejects(bad, tagged("bad_page_token"));
  });

  test("what is wrong is listed, what is missing is named", async (t) => {
    const plane = await createTestPlane(t);
    await assert.rejects(begin(plane, "a"), tagged("not_found"));
    const wrong = { dataset: "No", sourceUri: "", sha256: "AB", optionsFingerprint: "", jobId: "", tag: "" };
    await assert.rejects(plane.catalog.beginIngest(wrong), (error: ApiError) => {
      assert.deepEqual(
        error.violations.map(({ field }) => field),
        ["dataset", "source_uri", "sha256"],
      );
      return true;
    });
    await assert.rejects(plane.catalog.getIngest("x"), tagged("not_found"));
    await assert.rejects(
      plane.catalog.createDataset({ name: "a.b", description: "" }),
      tagged("invalid_argument"),
    );
  });
});

suite("feature schemas", () => {
  test("100,000 ids are kept in order; equal content is the same schema", async (t) => {
    const plane = await createTestPlane(t);
    const featureIds = Array.from({ length: 100_000 }, (_, i) => `ENSG${(i * 7919) % 100_003}`);
    const made = await plane.catalog.createFeatureSchema({ name: "big", featureIds });
    assert.deepEqual(
      [made.size, made.sha256, made.featureIds],
      [100_000, sha(featureIds.join("\n")), undefined],
    );
    assert.deepEqual(await plane.catalog.createFeatureSchema({ name: "big", featureIds }), made);
    assert.deepEqual((await plane.catalog.getFeatureSchema("big")).featureIds, featureIds);
    const other = plane.catalog.createFeatureSchema({ name: "big", featureIds: featureIds.toReversed() });
    await assert.rejects(other, tagged("already_exists"));
    const listed = await plane.catalog.listFeatureSchemas({ pageSize: 0, pageToken: "" });
    assert.deepEqual(listed.entries, [made]);
  });

  test("empty lists, duplicates and newlines are refused", async (t) => {
    const plane = await createTestPlane(t);
    for (const featureIds of [[], ["a", "a"], ["a\nb"], [""]]) {
      const call = plane.catalog.createFeatureSchema({ name: "x", featureIds });
      await assert.rejects(call, tagged("invalid_argument"));
    }
  });
});

suite("artifacts", () => {
  test("registering equal content again changes nothing, other content is refused by field", async (t) => {
    const plane = await filled(t);
    const known = await plane.catalog.get("model", "m1");
    plane.clock.advance(1);
    assert.deepEqual(await plane.catalog.register("model", model({ jobId: "j9" })), known);
    assert.deepEqual(known.parameters, { scale: true, loss: 0, ratio: [0.7, 0.1] });
    const other = plane.catalog.register("model", model({ dimension: 3, parameters: { scale: false } }));
    await assert.rejects(other, (error: ApiError) => {
      assert.equal(error.tag, "already_exists");
      assert.match(error.message, /dimension, parameters/);
      return true;
    });
  });

  test("parts must exist and fit", async (t) => {
    const plane = await filled(t);
    const { catalog } = plane;
    await assert.rejects(
      catalog.register("curriculum", curriculum({ name: "c2", ingestIds: ["ing-x"] })),
      tagged("not_found"),
    );
    await assert.rejects(
      catalog.register("model", model({ name: "m2", featureSchema: "none" })),
      tagged("not_found"),
    );
    await assert.rejects(
      catalog.register("embedding", embedding({ name: "e2", dimension: 3 })),
      tagged("invalid_argument"),
    );
    await assert.rejects(catalog.register("index", index({ ontology: "none" })), tagged("not_found"));
    await assert.rejects(catalog.register("index", undefined), (error: ApiError) => {
      assert.ok(error.violations.length >= 8, error.message);
      return true;
    });
    await assert.rejects(catalog.get("index", "i1"), tagged("not_found"));
  });

  test("a curriculum goes from prepared to extracted and not back", async (t) => {
    const plane = await filled(t);
    const { ingestIds } = plane;
    assert.equal((await plane.catalog.get("curriculum", "c1")).state, CurriculumState.PREPARED);
    const state = CurriculumState.EXTRACTED;
    const done = await plane.catalog.register(
      "curriculum",
      curriculum({ ingestIds, state, manifestSha256: sha("m2") }),
    );
    assert.deepEqual([done.state, done.manifestSha256, done.jobId], [state, sha("m2"), "j2"]);
    const back = curriculum({ ingestIds, manifestSha256: sha("m2") });
    assert.equal((await plane.catalog.register("curriculum", back)).state, state);
    const other = plane.catalog.register("curriculum", curriculum({ ingestIds, state, seed: 5n }));
    await assert.rejects(other, tagged("already_exists"));
  });

  test("there is exactly one default model once any model has an index", async (t) => {
    const plane = await filled(t);
    const { catalog } = plane;
    const defaults = async () => {
      const models = await catalog.list("model", { pageSize: 0, pageToken: "" });
      const indexes = await catalog.list("index", { pageSize: 0, pageToken: "" });
      const names = (all: { name: string; isDefault: boolean }[]) =>
        all
          .filter((it) => it.isDefault)
          .map((it) => it.name)
          .sort();
      return [names(models.entries), names(indexes.entries)];
    };
    assert.equal((await catalog.register("model", model({ name: "m2", isDefault: true }))).isDefault, false);
    await catalog.register("embedding", embedding({ name: "m2.c1", model: "m2" }));
    await assert.rejects(catalog.setDefaultModel("m2"), tagged("failed_precondition"));
    await assert.rejects(catalog.setDefaultModel("m3"), tagged("not_found"));
    assert.equal((await catalog.register("index", index())).isDefault, true);
    assert.deepEqual(await defaults(), [["m1"], ["i1"]]);
    const second = { embedding: "m2.c1", model: "m2" };
    await catalog.register("index", index({ name: "i2", ...second }));
    assert.deepEqual(await defaults(), [["m1"], ["i1", "i2"]]);
    await catalog.register("index", index({ name: "i3", ...second, isDefault: true }));
    assert.deepEqual(await defaults(), [["m2"], ["i1", "i3"]]);
    assert.equal((await catalog.setDefaultModel("m1")).isDefault, true);
    await catalog.register("index", index({ name: "i3", ...second, isDefault: true }));
    await Promise.all(
      ["i4", "i5", "i6", "i7"].map((name) => catalog.register("index", index({ name, isDefault: true }))),
    );
    const [models, indexes] = await defaults();
    assert.deepEqual([models, indexes!.length], [["m1"], 2]);
  });

  test("models and indexes are announced, once, with names that fit a subject", async (t) => {
    const plane = await filled(t);
    await plane.catalog.register("index", index({ name: "i.1" }));
    await plane.catalog.register("index", index({ name: "i.1" }));
    await plane.dispatcher.drain();
    const subjects = plane.publisher.facts
      .map(({ subject }) => subject)
      .filter((subject) => /registered$/.test(subject));
    assert.deepEqual(subjects, ["events.model.m1.registered", "events.index.i%2E1.registered"]);
  });
});

test("lineage walks from an index to the source files and the ontology, each once", async (t) => {
  const plane = await filled(t);
  await plane.catalog.register("index", index());
  const nodes = await plane.catalog.lineage("index", "i1");
  const found = nodes.map((node) => `${node.kind}/${node.name}`);
  const ingests = plane.ingestIds.map((id) => `ingest/${id}`).sort();
  assert.deepEqual(found, [
    "index/i1",
    "embedding/m1.c1",
    "ontology/cl",
    "model/m1",
    "curriculum/c1",
    ...ingests,
  ]);
  assert.deepEqual(nodes[3]!.parents, ["curriculum/c1"]);
  assert.equal(nodes[5]!.facts.cells, "2");
  assert.deepEqual((await plane.catalog.lineage("model", "m1")).length, 4);
  await assert.rejects(plane.catalog.lineage("model", "m9"), tagged("not_found"));
  await assert.rejects(plane.catalog.lineage("job", "m9"), tagged("invalid_argument"));
});
