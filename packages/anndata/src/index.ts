export { type CopyOptions, copyAnnData } from "./copy.ts";
export { AnnDataError, type AnnDataErrorTag } from "./errors.ts";
export { chooseFeatureIds, type FeatureIds, withoutVersion } from "./feature-ids.ts";
export { type IsolatedReport, type IsolateOptions, runIsolated } from "./isolate.ts";
export { openAnnData } from "./open.ts";
export { isParsedOnOpen } from "./open-source.ts";
export { concatRows, takeRows } from "./rows.ts";
export { geneExpressionOf, takeColumns, takeFrame } from "./select-features.ts";
export type {
  AnnData,
  CategoricalColumn,
  Column,
  CsrRows,
  CsrStream,
  DataFrame,
  FrameInput,
  H5adInput,
  JsonLike,
  Matrix,
  NumberArray,
  NumberDtype,
  OpenOptions,
  WriteOptions,
} from "./types.ts";
export { parseGeneList } from "./validation/gene-list.ts";
export { validationProfiles, withGeneLists } from "./validation/profiles.ts";
export type * from "./validation/types.ts";
export { profileOf, validateAnnData } from "./validation/validate.ts";
export { writeH5ad } from "./write.ts";
