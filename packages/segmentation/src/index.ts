export { type ClassicalOptions, createClassicalSegmenter, segmentClassical } from "./classical/segment.ts";
export { SegmentationError, type SegmentationErrorTag } from "./errors.ts";
export {
  type ImportedModel,
  type ImportOptions,
  importModel,
  type WeightsFormat,
} from "./import/import-model.ts";
export { clearBorder, filterInstances, measure, measureSampled, relabel, removeSmall } from "./labels.ts";
export { createLabelsSegmenter, segmentationFromLabels } from "./labels-segmenter.ts";
export type { StarDistConfig, Thresholds } from "./stardist/config.ts";
export { type Normalization, readModel, type StarDistModel } from "./stardist/model.ts";
export { checkStarDist, createStarDistSegmenter, type StarDistOptions } from "./stardist/segmenter.ts";
export type * from "./types.ts";
