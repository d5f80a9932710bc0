/** How a matrix that is stored by column is turned round in steps, which several threads may share. Plain data. */
export interface TurnPlan {
  nRows: number;
  nnz: number;
  /** Values are float64, otherwise float32. */
  wide: boolean;
  /** Entries of the file that one step sorts, and how many steps there are. */
  stepEntries: number;
  steps: number;
  /** Buckets of 2^shift consecutive rows. */
  shift: number;
  buckets: number;
}

export interface TurnLimits {
  /** Entries that one step may hold. */
  stepEntries: number;
  /** Entries that a bucket should hold. */
  bucketEntries: number;
  /** Rows of a bucket, at least and at most; powers of two. */
  leastRows?: number | undefined;
  mostRows?: number | undefined;
}

/** A row within its bucket takes so many bits at most. */
const mostShift = 16;
/** Every step has a piece for every bucket: more of them would be small, and their places many. */
const maxBuckets = 2_048;
/** Chunks of a file up to this are not cut by steps, for none to be decoded twice. */
const maxChunkEntries = 4 * 1024 * 1024;

/**
 * Cuts a matrix into steps and buckets.
 *
 * @param chunks entries per chunk of the arrays of the file
 */
export function planTurn(
  { nRows, nnz, wide }: Pick<TurnPlan, "nRows" | "nnz" | "wide">,
  chunks: readonly number[],
  { stepEntries: most, bucketEntries, leastRows = 1, mostRows = 2 ** mostShift }: TurnLimits,
): TurnPlan {
  const chunk = Math.max(1, ...chunks.filter((entries) => entries <= maxChunkEntries && entries <= most));
  const stepEntries = Math.max(1, Math.floor(most / chunk)) * chunk;
  const wanted = Math.max(1, (bucketEntries * nRows) / Math.max(1, nnz));
  let shift = Math.floor(Math.log2(Math.min(mostRows, Math.max(leastRows, wanted))));
  while (shift < mostShift && nRows / 2 ** shift > maxBuckets) shift++;
  return {
    nRows,
    nnz,
    wide,
    stepEntries,
    steps: Math.ceil(nnz / stepEntries),
    shift,
    buckets: Math.max(1, Math.ceil(nRows / 2 ** shift)),
  };
}
