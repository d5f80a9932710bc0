export { type ClassicalOptions, createClassicalSegmenter, segmentClassical } from "./classical/segment.ts";
export { SegmentationError, type SegmentationErrorTag } from "./errors.ts";
export { clearBorder, filterInstances, measure, relabel, removeSmall } from "./labels.ts";
export { createLabelsSegmenter, segmentationFromLabels } from "./labels-segmenter.ts";
export type * from "./types.ts";
