export {
  addSerializedGram,
  deserializeGram,
  deserializeMoments,
  serializeGram,
  serializeMoments,
} from "./checkpoint.ts";
export { type EigenOptions, topEigenpairs } from "./eigen.ts";
export { KernelError, type KernelErrorFields, type KernelErrorTag } from "./errors.ts";
export { addRowsToGram, emptyGram, mergeGram } from "./gram.ts";
export { type GeneDispersions, geneDispersions, type HvgOptions, selectHighlyVariable } from "./hvg.ts";
export { addRows, emptyMoments, mergeMoments, variance } from "./moments.ts";
export {
  DEFAULT_NORMALIZATION,
  log1pInPlace,
  normalizeLog1p,
  normalizeTotal,
  totalsOf,
} from "./normalize.ts";
export {
  encodeOnnxModel,
  type OnnxElementType,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from "./onnx-model.ts";
export {
  buildPcaOnnx,
  featureSchemaSha256,
  MODEL_KEYS,
  PCA_MODEL_KIND,
  PCA_MODEL_VERSION,
} from "./onnx-pca.ts";
export { type OnnxSummary, readOnnxSummary } from "./onnx-read.ts";
export { createOnnxRunner } from "./onnx-runner.ts";
export { createDenseSession, type DenseSession, type DenseTensor, type SessionOptions } from "./ort.ts";
export { finalizePca, type PcaOptions } from "./pca.ts";
export { type Field, readFields } from "./protobuf.ts";
export { checkRows } from "./rows.ts";
export type * from "./types.ts";
