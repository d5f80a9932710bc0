export { type CopyOptions, copyAnnData } from "./copy.ts";
export { createSink } from "./create-sink.ts";
export {
  type ArrayElement,
  type ArraySource,
  type AwkwardElement,
  arrayOf,
  type CategoricalElement,
  type DataFrameElement,
  type DictElement,
  type Element,
  type NullableElement,
  type RawNode,
  type SparseElement,
  type UnknownElement,
} from "./elements/element.ts";
export { writeElement } from "./elements/write-element.ts";
export { AnnDataError, type AnnDataErrorTag } from "./errors.ts";
export { chooseFeatureIds, type FeatureIds, withoutVersion } from "./feature-ids.ts";
export { type IsolatedReport, type IsolateOptions, runIsolated } from "./isolate.ts";
export { openAnnData } from "./open.ts";
export { isParsedOnOpen } from "./open-source.ts";
export { concatRows, sliceRows, takeRows } from "./rows.ts";
export { geneExpressionOf, readFrame, takeColumns, takeFrame } from "./select-features.ts";
export type * from "./storage.ts";
export type { TurnLimits, TurnPlan } from "./turn/plan.ts";
export { closeTurnStore, createTurnStore, type TurnStore } from "./turn/store.ts";
export type { Turning } from "./turn/turning.ts";
export type {
  Aligned,
  AlignedArray,
  AlignedInput,
  AnnData,
  AnnDataInput,
  ArrayInput,
  BooleanColumn,
  CategoricalColumn,
  Column,
  CsrRows,
  CsrStream,
  DataFrame,
  Entries,
  FrameInput,
  JsonLike,
  Matrix,
  NumberArray,
  NumberColumn,
  NumberDtype,
  OpenOptions,
  RawInput,
  StringColumn,
  WriteOptions,
} from "./types.ts";
export { parseGeneList } from "./validation/gene-list.ts";
export { validationProfiles, withGeneLists } from "./validation/profiles.ts";
export { sentenceOf } from "./validation/sentence.ts";
export type * from "./validation/types.ts";
export { profileOf, validateAnnData } from "./validation/validate.ts";
export { writeAnnData, writeH5ad } from "./write.ts";
