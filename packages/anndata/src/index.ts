export { AnnDataError, type AnnDataErrorTag } from "./errors.ts";
export { chooseFeatureIds, type FeatureIds, withoutVersion } from "./feature-ids.ts";
export { type IsolatedReport, type IsolateOptions, runIsolated } from "./isolate.ts";
export { openAnnData } from "./open.ts";
export { concatRows, takeRows } from "./rows.ts";
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
  ValidationCode,
  ValidationProblem,
  ValidationProfile,
  WriteOptions,
} from "./types.ts";
export { validateAnnData } from "./validate.ts";
export { writeH5ad } from "./write.ts";
