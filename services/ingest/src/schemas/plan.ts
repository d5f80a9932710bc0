import { createHash } from "node:crypto";
import { type IngestSpec, MatrixSource } from "@cytomesh/contracts/jobs/v1/specs";

/** The options of a spec that change what is written for a file, as plain data that crosses threads. */
export interface ConvertOptions {
  /** Obs column of the file → column of the warehouse; the file name `index` is the obs index. */
  readonly obsMapping: Readonly<Record<string, string>>;
  /** Var column with feature ids; empty: found by looking. */
  readonly featureIdColumn: string;
  readonly matrix: "auto" | "x" | "raw-x" | "layer";
  readonly layer: string;
  readonly allowNonCounts: boolean;
  /** Take features that are no genes too. */
  readonly allFeatureTypes: boolean;
}

const matrices = {
  [MatrixSource.UNSPECIFIED]: "auto",
  [MatrixSource.AUTO]: "auto",
  [MatrixSource.X]: "x",
  [MatrixSource.RAW_X]: "raw-x",
  [MatrixSource.LAYER]: "layer",
} as const;

/** The options of a spec. */
export function convertOptionsOf(spec: IngestSpec): ConvertOptions {
  return {
    obsMapping: { ...spec.obsMapping },
    featureIdColumn: spec.featureIdColumn,
    matrix: matrices[spec.matrix as keyof typeof matrices] ?? "auto",
    layer: spec.layer,
    allowNonCounts: spec.allowNonCounts,
    allFeatureTypes: spec.allFeatureTypes,
  };
}

/** Equal options give equal fingerprints, whatever the order of the mapping. */
export function fingerprintOf(options: ConvertOptions): string {
  const sorted = Object.fromEntries(Object.entries(options.obsMapping).sort(([a], [b]) => (a < b ? -1 : 1)));
  return createHash("sha256")
    .update(JSON.stringify({ ...options, obsMapping: sorted }))
    .digest("hex")
    .slice(0, 32);
}

/** What one look at a file found. */
export interface FilePlan {
  readonly cells: number;
  readonly features: number;
  /** `X`, `raw/X` or `layers/<name>`. */
  readonly matrixPath: string;
  /** Var column the feature ids come from; empty: the var index. */
  readonly featureIdColumn: string;
  /** Everything that keeps the file out of the warehouse; empty when nothing does. */
  readonly problems: readonly string[];
}
