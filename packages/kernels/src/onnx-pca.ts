import { createHash } from "node:crypto";
import { KernelError } from "./errors.ts";
import { checkTargetSum, DEFAULT_NORMALIZATION } from "./normalize.ts";
import { encodeOnnxModel, type OnnxNode, type OnnxTensor } from "./onnx-model.ts";
import { checkInteger } from "./rows.ts";
import type { PcaOnnxSpec } from "./types.ts";

/** Metadata keys a model file of this system carries. Values are text; lists and numbers are JSON. */
export const MODEL_KEYS = {
  kind: "cytomesh.kind",
  version: "cytomesh.version",
  featureIds: "cytomesh.feature_ids",
  featureSchemaSha256: "cytomesh.feature_schema_sha256",
  nFeatures: "cytomesh.n_features",
  nSelected: "cytomesh.n_selected",
  nComponents: "cytomesh.n_components",
  targetSum: "cytomesh.target_sum",
  epsilon: "cytomesh.epsilon",
} as const;

export const PCA_MODEL_KIND = "pca-embedding";
export const PCA_MODEL_VERSION = "1";
const LARGEST_FLOAT32 = 3.4028234663852886e38;

/** Identity of a feature schema: lower-case hex SHA-256 of its ids in order, each followed by a line feed (UTF-8). */
export function featureSchemaSha256(featureIds: readonly string[]): string {
  const hash = createHash("sha256");
  for (const id of featureIds) hash.update(`${id}\n`);
  return hash.digest("hex");
}

/**
 * A PCA as an ONNX model that takes raw counts.
 *
 * Inputs `counts` float32 [N, G] and `total_counts` float32 [N]; output `embedding` float32 [N, k]:
 * Gather the selected genes → `targetSum · x / (total + 1e-6)` → log(1 + x) → subtract the mean → divide by std (left out when all
 * are 1) → MatMul with the components, an initializer [p, k] that the runtime packs once. Opset 17, IR 8. The metadata hold the
 * feature ids and their SHA-256, the normalisation, and whatever the caller adds. The same spec gives the same bytes.
 *
 * @throws KernelError `invalid_argument` when the parts do not fit each other or hold NaN; `too_large` above 2 GiB
 */
export function buildPcaOnnx(spec: PcaOnnxSpec): Uint8Array {
  checkSpec(spec);
  const { nComponents: k } = spec;
  const p = spec.selected.length;
  const scaled = spec.std.some((value) => value !== 1);
  const initializers: OnnxTensor[] = [
    { name: "selected", shape: [p], data: spec.selected.slice() },
    { name: "one_axis", shape: [1], data: BigInt64Array.of(1n) },
    scalar("epsilon", DEFAULT_NORMALIZATION.epsilon),
    scalar("target_sum", spec.targetSum),
    scalar("largest", LARGEST_FLOAT32),
    scalar("one", 1),
    { name: "mean", shape: [p], data: Float32Array.from(spec.mean) },
    ...(scaled ? [{ name: "std", shape: [p], data: Float32Array.from(spec.std) }] : []),
    { name: "weights", shape: [p, k], data: transpose(spec.components, k, p) },
  ];
  return encodeOnnxModel({
    name: PCA_MODEL_KIND,
    inputs: [
      { name: "counts", type: "float32", shape: ["N", spec.featureIds.length] },
      { name: "total_counts", type: "float32", shape: ["N"] },
    ],
    outputs: [{ name: "embedding", type: "float32", shape: ["N", k] }],
    nodes: nodes(scaled),
    initializers,
    metadata: metadataOf(spec),
  });
}

function nodes(scaled: boolean): OnnxNode[] {
  const binary = (op: string, a: string, b: string, output: string): OnnxNode => ({
    op,
    inputs: [a, b],
    outputs: [output],
  });
  return [
    { ...binary("Gather", "counts", "selected", "genes"), ints: { axis: 1 } },
    binary("Unsqueeze", "total_counts", "one_axis", "totals"),
    binary("Add", "totals", "epsilon", "divisor"),
    binary("Div", "genes", "divisor", "fraction"),
    binary("Mul", "fraction", "target_sum", "normalized_unbounded"),
    // A cell with a total of 0 and yet huge counts would overflow float32; nothing infinite may leave the model.
    binary("Min", "normalized_unbounded", "largest", "normalized"),
    binary("Add", "normalized", "one", "plus_one"),
    { op: "Log", inputs: ["plus_one"], outputs: ["logged"] },
    binary("Sub", "logged", "mean", "centred"),
    ...(scaled ? [binary("Div", "centred", "std", "scaled")] : []),
    binary("MatMul", scaled ? "scaled" : "centred", "weights", "embedding"),
  ];
}

function scalar(name: string, value: number): OnnxTensor {
  return { name, shape: [], data: Float32Array.of(value) };
}

function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = matrix[row * columns + column]!;
  }
  return out;
}

function metadataOf(spec: PcaOnnxSpec): Record<string, string> {
  for (const key of Object.keys(spec.metadata)) {
    if (key.startsWith("cytomesh.")) {
      throw new KernelError(
        "invalid_argument",
        `metadata key ${key} is reserved: use one without "cytomesh."`,
      );
    }
  }
  return {
    [MODEL_KEYS.kind]: PCA_MODEL_KIND,
    [MODEL_KEYS.version]: PCA_MODEL_VERSION,
    [MODEL_KEYS.featureSchemaSha256]: featureSchemaSha256(spec.featureIds),
    [MODEL_KEYS.nFeatures]: String(spec.featureIds.length),
    [MODEL_KEYS.nSelected]: String(spec.selected.length),
    [MODEL_KEYS.nComponents]: String(spec.nComponents),
    [MODEL_KEYS.targetSum]: String(spec.targetSum),
    [MODEL_KEYS.epsilon]: String(DEFAULT_NORMALIZATION.epsilon),
    [MODEL_KEYS.featureIds]: JSON.stringify(spec.featureIds),
    ...spec.metadata,
  };
}

function checkSpec(spec: PcaOnnxSpec): void {
  const { selected, mean, std, components, nComponents, featureIds } = spec;
  const p = selected.length;
  checkInteger("the number of selected genes", p, 1);
  checkInteger("nComponents", nComponents, 1, p);
  checkTargetSum(spec.targetSum);
  if (mean.length !== p || std.length !== p || components.length !== nComponents * p) {
    throw new KernelError(
      "invalid_argument",
      `expected ${p} means, ${p} stds and ${nComponents} × ${p} components, found ${mean.length}, ${std.length} and ${components.length}`,
    );
  }
  const outside = selected.findIndex((feature) => feature < 0 || feature >= featureIds.length);
  if (outside >= 0) {
    throw new KernelError(
      "invalid_argument",
      `selected[${outside}] is ${selected[outside]}, outside a schema of ${featureIds.length} features`,
    );
  }
  if (new Set(selected).size !== p || new Set(featureIds).size !== featureIds.length) {
    throw new KernelError("invalid_argument", "expected distinct feature ids, each selected at most once");
  }
  const finite = (value: number) => Number.isFinite(Math.fround(value));
  // A divisor that rounds to 0 in float32 would put infinities into every embedding.
  if (
    !mean.every(finite) ||
    !components.every(finite) ||
    !std.every((s) => finite(s) && Math.fround(s) > 0)
  ) {
    throw new KernelError(
      "invalid_argument",
      "expected finite means and components, and finite stds above 0",
    );
  }
}
