/** Connected components of an image. */
export interface Components {
  /** Label of every pixel, from 1 in the order of their first pixels; 0 elsewhere. */
  readonly labels: Int32Array;
  /** Pixels of each label; position 0 is unused. */
  readonly areas: Int32Array;
}

/**
 * Components of the pixels of `mask` that equal `value`. Runs of pixels are joined with those they touch in the row above, by union-find
 * (He, Chao and Suzuki 2008): a nucleus has few runs and many pixels.
 * `connectivity` 4 joins over edges, 8 over corners too.
 */
export function connectedComponents(
  mask: Uint8Array,
  width: number,
  height: number,
  value: 0 | 1,
  connectivity: 4 | 8,
): Components {
  const { runs, numbers, areas } = labelledRuns(mask, width, height, value, connectivity);
  const labels = new Int32Array(mask.length);
  for (let run = 0; run < runs.count; run++)
    labels.fill(numbers[run] as number, runs.starts[run], runs.ends[run]);
  return { labels, areas };
}

/** The runs of components, the label of each run, and how many pixels each label has. */
function labelledRuns(mask: Uint8Array, width: number, height: number, value: 0 | 1, connectivity: 4 | 8) {
  const runs = findRuns(mask, width, height, value);
  const parent = joinRuns(runs, width, connectivity === 8 ? 1 : 0);
  const numbers = new Int32Array(runs.count);
  let count = 0;
  // A parent is never later than its child, so it has its number already; roots are first in raster order.
  for (let run = 0; run < runs.count; run++)
    numbers[run] = parent[run] === run ? ++count : (numbers[parent[run] as number] as number);
  const areas = new Int32Array(count + 1);
  for (let run = 0; run < runs.count; run++)
    areas[numbers[run] as number]! += (runs.ends[run] as number) - (runs.starts[run] as number);
  return { runs, numbers, areas };
}

/** Runs of equal pixels in raster order; none goes over the end of a row. */
interface Runs {
  readonly count: number;
  /** Positions in the image, half-open. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** First run of each row, and the end of the last. */
  readonly rows: Int32Array;
}

function findRuns(mask: Uint8Array, width: number, height: number, value: 0 | 1): Runs {
  let starts = new Int32Array(1_024);
  let ends = new Int32Array(1_024);
  const rows = new Int32Array(height + 1);
  let count = 0;
  for (let y = 0; y < height; y++) {
    const end = (y + 1) * width;
    for (let i = y * width; i < end; ) {
      if (mask[i] !== value) {
        i++;
        continue;
      }
      if (count === starts.length) {
        starts = grown(starts);
        ends = grown(ends);
      }
      starts[count] = i++;
      while (i < end && mask[i] === value) i++;
      ends[count++] = i;
    }
    rows[y + 1] = count;
  }
  return { count, starts, ends, rows };
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}

/** Parent of each run in its component, never a later one; `reach` is 1 where corners join. */
function joinRuns({ count, starts, ends, rows }: Runs, width: number, reach: 0 | 1): Int32Array {
  const parent = new Int32Array(count);
  const find = (run: number): number => {
    let at = run;
    while (parent[at] !== at) {
      // Halving the path keeps trees flat without a second pass.
      parent[at] = parent[parent[at] as number] as number;
      at = parent[at] as number;
    }
    return at;
  };
  for (let y = 0; y + 1 < rows.length; y++) {
    let above = y === 0 ? 0 : (rows[y - 1] as number);
    const aboveEnd = rows[y] as number;
    for (let run = aboveEnd; run < (rows[y + 1] as number); run++) {
      parent[run] = run;
      const from = (starts[run] as number) - width - reach;
      const to = (ends[run] as number) - width + reach;
      while (above < aboveEnd && (ends[above] as number) <= from) above++;
      for (let other = above; other < aboveEnd && (starts[other] as number) < to; other++) {
        const a = find(run);
        const b = find(other);
        if (a < b) parent[b] = a;
        else parent[a] = b;
      }
    }
  }
  for (let run = 0; run < count; run++) parent[run] = find(run);
  return parent;
}

/** Fill background components of fewer than `minAreaPx` pixels, in place: nucleoli and noise must not look like edges. */
export function fillSmallHoles(mask: Uint8Array, width: number, height: number, minAreaPx: number): void {
  const { runs, numbers, areas } = labelledRuns(mask, width, height, 0, 4);
  for (let run = 0; run < runs.count; run++)
    if ((areas[numbers[run] as number] as number) < minAreaPx) mask.fill(1, runs.starts[run], runs.ends[run]);
}
