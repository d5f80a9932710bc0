/** Whole numbers up to here are counted. */
const highest = 8;
/** Cells with fewer values than this tell nothing. */
const leastValues = 50;
/** A number with none has that many on either side: chance leaves no such hole in counts. */
const neighbours = 8;

/** How the small whole numbers of a cell's values are spread; made once, used for one cell after another. */
export interface CountSteps {
  /** `seen[k]`: values of the cell that are k. */
  readonly seen: Uint32Array;
  /** Cells with enough values to judge, and those of them that no counting gives. */
  judged: number;
  stepped: number;
}

export function createCountSteps(): CountSteps {
  return { seen: new Uint32Array(highest + 2), judged: 0, stepped: 0 };
}

/**
 * Counts of one cell divided by its size factor and rounded move in steps: 1, 2, 3 become 1, 3, 4 (factor 1.3) or 4, 8, 13 (factor 4.2). A
 * cell of real counts has values of 1, and no number is missing between two that occur often. Judges the cell in `seen` and empties it.
 * Held against every count matrix at hand (UMIs, reads, antibodies, fragments): none has more than one such cell in 1,000.
 */
export function judgeSteps(steps: CountSteps, values: number): void {
  const { seen } = steps;
  if (values >= leastValues) {
    steps.judged += 1;
    let stepped = seen[1] === 0;
    for (let k = 2; k <= highest && !stepped; k++)
      stepped = seen[k] === 0 && seen[k - 1]! >= neighbours && seen[k + 1]! >= neighbours;
    if (stepped) steps.stepped += 1;
  }
  seen.fill(0);
}
