/** What a file is held against, as plain data: it can be written as JSON, sent to a worker, stored with a report. */
export interface ValidationProfile {
  name: string;
  /** One sentence for people. */
  description: string;
  counts?: CountsRule;
  /** X must be stored sparse when more than this share of its values is zero. */
  sparseAboveZeros?: number;
  obs?: FrameRule;
  var?: FrameRule;
  rawVar?: FrameRule;
  uns?: UnsRule[];
  obsm?: ObsmRule;
  /** Every feature must be in one of these lists; empty or unset: any. */
  geneLists?: GeneList[];
}

/** Where raw counts must be, and what beyond "whole and not negative" must hold. */
export interface CountsRule {
  /** "raw or X": raw.X when the file has raw, else X. */
  where: "X" | "raw/X" | "raw or X";
  /** Every cell has at least one count. */
  noEmptyCells?: boolean;
  /** No two cells have the same counts. */
  noEqualCells?: boolean;
  /** dtype of the values on disk, for example "float32". */
  dtype?: string;
}

export interface FrameRule {
  /** Regular expression that every name of the index must match. */
  index?: { pattern: string; says: string };
  columns?: ColumnRule[];
  /** Columns that must not be there, and why. */
  forbidden?: { name: string; says: string }[];
}

export interface ColumnRule {
  name: string;
  /** Default true: the column must be there. */
  required?: boolean;
  /** Kinds of column taken; default any. */
  kinds?: ("categorical" | "string" | "number" | "boolean")[];
  /** Values taken besides those that match `pattern`. */
  values?: string[];
  /** Regular expression for each value, or for each part between separators. */
  pattern?: string;
  /** Several terms may be given, joined with this, ascending and each once. */
  separator?: string;
  /** What is expected, in words. */
  says?: string;
  /** Default false: a missing value is a problem. */
  missingAllowed?: boolean;
}

export interface UnsRule {
  key: string;
  required?: boolean;
  pattern?: string;
  says?: string;
}

export interface ObsmRule {
  /** At least one entry whose key starts with this. */
  atLeastOne?: string;
  /** Fewest columns of entries whose key starts with "X_". */
  minColumns?: number;
}

/** Feature ids that a profile knows, for example those of one GENCODE release. */
export interface GeneList {
  name: string;
  ids: string[];
}

/** "error": the file does not satisfy the profile. "warning": a person should look. */
export type ValidationSeverity = "error" | "warning";

export type ValidationCode =
  | "unreadable"
  | "wrong_length"
  | "missing_x"
  | "no_cells"
  | "no_genes"
  | "duplicate_obs_name"
  | "duplicate_var_name"
  | "empty_name"
  | "bad_name"
  | "not_finite"
  | "negative_count"
  | "non_integer_count"
  | "unverifiable_count"
  | "scaled_counts"
  | "empty_cell"
  | "equal_cells"
  | "wrong_dtype"
  | "dense_matrix"
  | "missing_column"
  | "forbidden_column"
  | "wrong_kind"
  | "missing_value"
  | "bad_value"
  | "missing_uns"
  | "bad_uns"
  | "missing_obsm"
  | "bad_obsm"
  | "unknown_gene";

export interface ValidationProblem {
  code: ValidationCode;
  severity: ValidationSeverity;
  /** Path inside the file, for example "X" or "obs/louvain". */
  where: string;
  /** A sentence with what was expected, what was found, and how often. */
  message: string;
  /** Rows, values or names concerned; unset where counting makes no sense. */
  count?: number;
  /** The first few of them. */
  examples?: string[];
}

/** How much of the matrices is looked at. */
export interface ValidateOptions {
  /**
   * Entries looked at in each matrix, in batches spread evenly over it; default: all. 0 looks at the structure only, for callers that look at
   * every value themselves.
   */
  entries?: number;
}
