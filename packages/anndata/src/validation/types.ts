/** What a file is held against, as plain data: it can be written as JSON, sent to a worker, stored with a report. */
export interface ValidationProfile {
  name: string;
  /** One sentence for people. */
  description: string;
  counts?: CountsRule;
  /** X, raw.X and layers must be stored sparse when more than this share of their values is zero. */
  sparseAboveZeros?: number;
  /** Layouts that sparse matrices may have; default any. */
  sparseLayouts?: ("csr" | "csc")[];
  /** The genes of raw are those of X, in the same order. */
  rawLikeX?: boolean;
  /** Counts alone, without a matrix of normalised values, are warned of. */
  normalisedWanted?: boolean;
  /** Boolean column of var that says which features were left out of X and kept in raw. */
  filteredFeatures?: string;
  obs?: FrameRule;
  var?: FrameRule;
  rawVar?: FrameRule;
  uns?: UnsRule[];
  /** Keys of uns that must not be there, and why. */
  unsForbidden?: Forbidden[];
  /** Values of uns may not be empty. */
  unsNotEmpty?: boolean;
  /** Check keys of uns that end in "_colors" against the column of obs that they colour. */
  colours?: boolean;
  obsm?: ObsmRule;
  /** No array beside obs and var may have no elements. */
  alignedNotEmpty?: boolean;
  /** No column and no key may begin with this. */
  reservedPrefix?: string;
  /** Every feature must be in one of these lists; empty or unset: any. */
  geneLists?: GeneList[];
}

/** Where raw counts must be, and what beyond "whole and not negative" must hold. */
export interface CountsRule {
  /** "raw or X": raw.X when the file has raw, else X. */
  where: "X" | "raw/X" | "raw or X";
  /** Every cell has at least one count. */
  noEmptyCells?: boolean;
  /** …unless obs has this column: spots beside the tissue. */
  emptyCellsWith?: string;
  /** No two cells have the same counts. */
  noEqualCells?: boolean;
  /** What whole numbers are of which cells show that they were normalised and cut or rounded; default "error". */
  scaledAre?: "error" | "warning";
  /** dtype of the values on disk, for example "float32". */
  dtype?: string;
  /** Values need not be counts when this column of obs has one of `some` and none of `none`: assays that count nothing. */
  unless?: { column: string; some: string[]; none: string[] };
}

/** A name that must not be there; `says` why. */
export interface Forbidden {
  name: string;
  says: string;
}

/** When a rule holds. Without `is` and `not`: when the column or key is there. */
export interface Condition {
  /** A column of the same frame, row by row. */
  column?: string;
  /** A key of uns. */
  uns?: string;
  /** Its value is one of these. */
  is?: string[];
  /** Its value is none of these. */
  not?: string[];
}

/** What obs, var or raw.var must be like. */
export interface FrameRule {
  /** What every name of the index must be; `cases` besides, where all their conditions hold (of uns only). */
  index?: NameRule & { cases?: (NameRule & { when: Condition[] })[] };
  columns?: ColumnRule[];
  /** Columns that must not be there, and why. */
  forbidden?: Forbidden[];
  /** Categories that no row has are warned of. */
  warnOfUnusedCategories?: boolean;
  /** Fewer rows than this are warned of. */
  usualRows?: number;
}

/** What a name must be like; `says` in words. */
export interface NameRule {
  /** Regular expression. */
  pattern: string;
  says: string;
}

/** What a column must be like. */
export interface ColumnRule extends ValueRule {
  name: string;
  /** Default true: the column must be there. */
  required?: boolean;
  /** The column must be there (unless not required) where this holds, and must not be otherwise. */
  onlyIf?: Condition[];
  /** Kinds of column taken; default any. */
  kinds?: ("categorical" | "string" | "number" | "boolean")[];
  /** Categories are text, not numbers or booleans. */
  textCategories?: boolean;
  /** Default false: a missing value is a problem. */
  missingAllowed?: boolean;
  /** Rules besides, for the rows where all their conditions hold. */
  cases?: (ValueRule & {
    when: Condition[] /** Values that all of these rows have, or none. */;
    allOrNone?: string[];
  })[];
}

/** What values of a column must be like; missing ones are `missingAllowed`'s. */
export interface ValueRule {
  /** Values taken besides those that match `pattern`. */
  values?: string[];
  /** Values not taken, whatever else is said. */
  refused?: string[];
  /** Regular expression for each value, or for each part between separators. */
  pattern?: string;
  /** Several terms may be given, joined with this, ascending and each once. */
  separator?: string;
  /** What is expected, in words. */
  says?: string;
}

/** What an entry of uns must be like. */
export interface UnsRule {
  key: string;
  required?: boolean;
  /** Texts taken. */
  values?: string[];
  /** Regular expression for a text. */
  pattern?: string;
  /** It is a list, each of whose texts is looked at. */
  list?: boolean;
  /** Every text must be the name of a column of obs, or of a key of obsm. */
  refersTo?: "obs" | "obsm";
  says?: string;
}

/** What obsm must hold. */
export interface ObsmRule {
  /** At least one entry whose key starts with this. */
  atLeastOne?: string;
  /** …unless uns has this key: places in an image are another way to show cells. */
  noneWith?: string;
  /** Regular expression of the keys of embeddings, which people look at: what is wrong with their numbers is an error; with others, a warning. */
  embeddings?: string;
  /** Other keys are warned of. */
  warnOfOthers?: boolean;
  /** Fewest columns of embeddings. */
  minColumns?: number;
  /** What every key must be. */
  names?: NameRule;
  /** Everything in obsm is an array of numbers. */
  numbersOnly?: boolean;
  /** No number is infinite. */
  noInfinity?: boolean;
  /** Keys that are there only together with a key of uns. */
  onlyWith?: { key: string; uns: string }[];
}

/** Feature ids that a profile knows, for example those of one GENCODE release. */
export interface GeneList {
  name: string;
  ids: string[];
}

/** "error": the file does not satisfy the profile. "warning": a person should look. */
export type ValidationSeverity = "error" | "warning";

/** Which rule is broken, for programs. */
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
  | "raw_differs"
  | "only_counts"
  | "wrong_layout"
  | "filtered_gene"
  | "wrong_dtype"
  | "dense_matrix"
  | "missing_column"
  | "forbidden_column"
  | "wrong_kind"
  | "missing_value"
  | "bad_value"
  | "unused_category"
  | "few_genes"
  | "reserved_name"
  | "missing_uns"
  | "bad_uns"
  | "forbidden_uns"
  | "missing_obsm"
  | "bad_obsm"
  | "empty_array"
  | "unknown_gene";

/** One thing that is wrong, however often. */
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
