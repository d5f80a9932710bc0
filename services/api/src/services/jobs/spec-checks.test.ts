import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { JobSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { createChecks } from "../../schemas/checks.ts";
import { checkSpec } from "./spec-checks.ts";

type Spec = MessageInitShape<typeof JobSpecSchema>["spec"];

/** `spec` may hold what the types forbid: that is what the wire brings. */
function wrongFields(spec: unknown): string[] {
  const checks = createChecks();
  checkSpec(
    checks,
    spec === undefined
      ? undefined
      : create(JobSpecSchema, { spec } as MessageInitShape<typeof JobSpecSchema>),
  );
  return checks.violations.map(({ field }) => field);
}

test("complete specs of every kind are fine", () => {
  const uris = ["gs://bucket/a.h5ad", "file:///b%20c.h5ad"];
  for (const spec of [
    {
      case: "ingest",
      value: { dataset: "pbmc-1", uris, obsMapping: { index: "barcode" }, matrix: 4, layer: "counts" },
    },
    {
      case: "prepare",
      value: {
        curriculum: "c.1",
        dataset: "d",
        filters: { age__gt: 3, t__in: ["a"], x__not_eq: true },
        binKeys: ["donor"],
      },
    },
    { case: "extract", value: { curriculum: "c", bins: [0, 1] } },
    { case: "trainPca", value: { curriculum: "c", model: "m" } },
    { case: "embed", value: { model: "m", curriculum: "c" } },
    { case: "buildIndex", value: { embedding: "m.c", index: "i", metric: 2, ontology: "cl" } },
    { case: "convertFields", value: { uris: ["s3://b/a.tif"], outputUri: "s3://b/out" } },
    {
      case: "convertFields",
      value: {
        recipe: 2,
        listing: { prefixUri: "s3://b/raw/", pattern: "_proj.tif" },
        outputUri: "s3://b/out",
        segmentation: { method: 2, modelUri: "s3://b/m.onnx", probabilityThreshold: 0.5 },
        outputs: { pathList: true, pathListChannels: { b: 0, g: 1 }, masking: 3, archive: true },
      },
    },
    { case: "stage", value: { listing: { listingUri: "file:///l.txt" }, outputUri: "s3://b/staged" } },
    {
      case: "formatMetadata",
      value: {
        recipe: 2,
        metadataUri: "s3://b/m.csv",
        outputUri: "s3://b/f.csv",
        annotationsUri: "file:///a.csv",
      },
    },
    { case: "analysis", value: { uri: "s3://b/a.h5ad", task: "ListGenes" } },
  ] as Spec[]) {
    assert.deepEqual(wrongFields(spec), [], spec?.case);
  }
});

test("every wrong field is listed, not only the first", () => {
  assert.deepEqual(wrongFields(undefined), ["spec"]);
  assert.deepEqual(wrongFields({ case: undefined }), ["spec"]);
  assert.deepEqual(
    wrongFields({
      case: "ingest",
      value: {
        dataset: "A",
        uris: ["http://x", "", "file:///a", "file:///a"],
        obsMapping: { a: "x", b: "x" },
        matrix: 9,
        layer: "l",
      },
    }).sort(),
    [
      "spec.ingest.dataset",
      'spec.ingest.obs_mapping["b"]',
      "spec.ingest.layer",
      "spec.ingest.matrix",
      "spec.ingest.uris[0]",
      "spec.ingest.uris[1]",
      "spec.ingest.uris[3]",
    ].sort(),
  );
  assert.deepEqual(
    wrongFields({
      case: "prepare",
      value: {
        ...{
          curriculum: "",
          dataset: "",
          binSize: 2_000_000,
          deriveFeatures: 7,
          binKeys: ["a", "a"],
          featureSchema: "-",
        },
        filters: { age: 1, age__gt: "x", t__in: [], u__in: [1, "a"], v__eq: null, w__eq: Number.NaN },
      },
    }).length,
    12,
  );
  assert.deepEqual(
    wrongFields({
      case: "trainPca",
      value: { curriculum: "c", model: "m", nComponents: 60, nTopGenes: 50, targetSum: Number.NaN },
    }),
    ["spec.train_pca.n_components", "spec.train_pca.target_sum"],
  );
  assert.deepEqual(wrongFields({ case: "extract", value: { curriculum: "c", bins: [-1, 2, 2] } }), [
    "spec.extract.bins[0]",
    "spec.extract.bins[2]",
  ]);
  assert.deepEqual(
    wrongFields({ case: "analysis", value: { uri: "a", task: "Nothing", outputUri: "b" } }).length,
    3,
  );
  assert.deepEqual(
    wrongFields({ case: "analysis", value: { uri: "s3://b/a", task: "ListGenes", parameters: { a: "\0" } } }),
    ["spec.analysis.parameters"],
  );
  const nul = { case: "ingest", value: { dataset: "d", uris: ["file:///a"], tag: "\0" } } as const;
  assert.deepEqual(wrongFields({ ...nul, value: { ...nul.value, uris: [...nul.value.uris] } }), [
    "spec.ingest.tag",
  ]);
});

test("what contradicts itself in an imaging job is named", () => {
  assert.deepEqual(
    wrongFields({
      case: "convertFields",
      value: {
        recipe: 2,
        outputUri: "s3://b/o",
        cropSizePx: 128,
        minAreaPx: 5,
        channelPattern: "x".repeat(1_025),
        segmentation: {
          method: 2,
          minAreaUm2: 3,
          probabilityThreshold: 2,
          labelsUriPattern: "s3://b/labels.tif",
        },
        outputs: { pathListChannels: { q: 1 } },
      },
    }).sort(),
    [
      "spec.convert_fields.channel_pattern",
      "spec.convert_fields.crop_size_px",
      'spec.convert_fields.outputs.path_list_channels["q"]',
      "spec.convert_fields.segmentation.labels_uri_pattern",
      "spec.convert_fields.segmentation.min_area_um2",
      "spec.convert_fields.segmentation.model_uri",
      "spec.convert_fields.segmentation.probability_threshold",
      "spec.convert_fields.uris",
    ],
  );
  assert.deepEqual(
    wrongFields({ case: "stage", value: { uris: ["s3://b/a"], outputUri: "x", keepPaths: true } }),
    ["spec.stage.output_uri", "spec.stage.keep_paths"],
  );
  assert.deepEqual(
    wrongFields({
      case: "formatMetadata",
      value: { metadataUri: "s3://b/m", outputUri: "s3://b/o", recipe: 3, annotationsUri: "s3://b/a" },
    }),
    [
      "spec.format_metadata.annotations_uri",
      "spec.format_metadata.manifest_uri",
      "spec.format_metadata.locations_uri",
      "spec.format_metadata.genes_uri",
    ],
  );
  assert.deepEqual(
    wrongFields({
      case: "formatMetadata",
      value: { metadataUri: "s3://b/m", outputUri: "s3://b/m", recipe: 2, annotationsUri: "s3://b/a" },
    }),
    ["spec.format_metadata.output_uri"],
  );
});
