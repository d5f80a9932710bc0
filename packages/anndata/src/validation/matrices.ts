import type { CsrRows, Matrix } from "../types.ts";
import { type CountSteps, createCountSteps, judgeSteps } from "./count-steps.ts";
import { hashEntries, repeatedHashes } from "./names.ts";
import { type Report, Tally } from "./report.ts";
import type { CountsRule } from "./types.ts";

/** Entries per batch, so that memory stays small. */
const batchEntries = 2_000_000;
/** float32 holds every whole number up to here; beyond, every value is whole and tells nothing. No cell has that many of one transcript. */
const exactFloat32 = 2 ** 24;
/** Fewer cells than this tell nothing about totals. */
const leastCells = 20;
/** More than this share of cells that no counting gives is no chance. */
const steppedShare = 0.02;

export interface MatrixRules {
  /** Judge it as raw counts. */
  counts?: CountsRule | undefined;
  /** As counts, no cell may be without any. */
  emptyCells?: boolean;
  /** Look for cells of the same values. */
  equalCells?: boolean;
  sparseAboveZeros?: number | undefined;
  /** NaN and infinity are no matter. */
  anyNumber?: boolean;
  /** Tell which columns have a value. */
  seenColumns?: boolean;
}

/**
 * A matrix: that it can be read, that it is finite, and, as counts, that no normalised matrix passes: every value is whole, not negative, and
 * below what its dtype holds exactly, and no cells have holes between their counts. Whole numbers that were perhaps scaled, cut or rounded (all cells
 * of one total, no count of 1, nothing above 1) are warned of.
 *
 * @returns 1 for every column with a value, when asked for and when all rows were looked at
 */
export function checkMatrix(
  matrix: Matrix,
  where: string,
  rules: MatrixRules,
  entries: number,
  report: Report,
): Uint8Array | undefined {
  const found = entries > 0 ? report.attempt(where, () => scan(matrix, rules, entries)) : undefined;
  if (found !== undefined) reportScan(found, matrix, where, rules, report);
  const { dtype } = rules.counts ?? {};
  if (dtype !== undefined && matrix.dtype !== dtype)
    report.add("wrong_dtype", where, `${where} holds ${matrix.dtype}, expected ${dtype}`);
  return found?.sampled === false ? found.seen : undefined;
}

interface Scan {
  notFinite: Tally;
  negative: Tally;
  fractional: Tally;
  unverifiable: Tally;
  emptyCells: Tally;
  equalCells: Tally;
  /** Cells with at least one value. */
  cells: number;
  rowsSeen: number;
  entriesSeen: number;
  nonZero: number;
  smallestTotal: number;
  largestTotal: number;
  /** Cells whose smallest value is 1. */
  cellsWithOne: number;
  largest: number;
  steps: CountSteps;
  sampled: boolean;
  /** 1: the column has a value. */
  seen: Uint8Array | undefined;
}

function scan(matrix: Matrix, rules: MatrixRules, entries: number): Scan {
  const found: Scan = {
    notFinite: new Tally(),
    negative: new Tally(),
    fractional: new Tally(),
    unverifiable: new Tally(),
    emptyCells: new Tally(),
    equalCells: new Tally(),
    cells: 0,
    rowsSeen: 0,
    entriesSeen: 0,
    nonZero: 0,
    smallestTotal: Number.POSITIVE_INFINITY,
    largestTotal: 0,
    cellsWithOne: 0,
    largest: 0,
    steps: createCountSteps(),
    sampled: false,
    seen: rules.seenColumns === true ? new Uint8Array(matrix.shape[1]) : undefined,
  };
  const [rows, columns] = matrix.shape;
  if (rows === 0) return found;
  const perRow = Math.max(1, (matrix.nnz ?? rows * columns) / rows);
  const batchRows = Math.min(rows, Math.max(1, Math.floor(Math.min(batchEntries, entries / 8) / perRow)));
  const batches = Math.ceil(rows / batchRows);
  const wanted = Math.min(batches, Math.max(2, Math.floor(entries / (perRow * batchRows))));
  found.sampled = wanted < batches;
  // Without questions about whole cells a look at entries does; cells of a matrix by column cost a pass over all of it.
  if (found.sampled && matrix.entries !== undefined && rules.counts === undefined && !rules.emptyCells) {
    lookAtEntries(matrix, entries, found);
    return found;
  }
  const hashes = rules.equalCells === true && !found.sampled ? new Float64Array(rows) : undefined;
  const ranges = Array.from({ length: wanted }, (_, k): [number, number] => {
    // Evenly spread, first and last batch included.
    const batch = wanted === batches ? k : Math.round((k * (batches - 1)) / (wanted - 1));
    return [batch * batchRows, Math.min(rows, (batch + 1) * batchRows)];
  });
  if (wanted > 1) matrix.expect?.(ranges);
  for (const [start, end] of ranges) look(matrix.rows(start, end), start, found, hashes);
  if (hashes !== undefined) findEqualCells(matrix, hashes, found.equalCells);
  return found;
}

/** Entries of a matrix by column, in as many places. */
function lookAtEntries(matrix: Matrix, entries: number, found: Scan): void {
  const all = matrix.nnz ?? 0;
  const places = 8;
  const each = Math.floor(Math.min(all, entries) / places);
  for (let place = 0; place < places; place++) {
    const from = Math.floor(((all - each) * place) / (places - 1));
    const { rows, columns, data } = matrix.entries!(from, from + each);
    for (let i = 0; i < data.length; i++) {
      const value = data[i] as number;
      if (value !== 0) found.nonZero += 1;
      if (!Number.isFinite(value))
        hit(found.notFinite, () => `row ${rows[i]}, column ${columns[i]} (${value})`);
    }
    found.entriesSeen += data.length;
  }
}

function look(batch: CsrRows, start: number, found: Scan, hashes: Float64Array | undefined): void {
  const { data, indices, indptr } = batch;
  const unverifiableFrom = data instanceof Float32Array ? exactFloat32 : Number.MAX_SAFE_INTEGER;
  const { seen, steps } = found;
  const small = steps.seen;
  const words = new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  for (let r = 0; r < batch.nRows; r++) {
    const [from, to] = [indptr[r] as number, indptr[r + 1] as number];
    let total = 0;
    let nonZero = 0;
    let smallest = Number.POSITIVE_INFINITY;
    let largest = 0;
    for (let i = from; i < to; i++) {
      const value = data[i] as number;
      if (value === 0) continue;
      if (seen !== undefined) seen[indices[i] as number] = 1;
      nonZero += 1;
      total += value;
      if (value < smallest) smallest = value;
      if (value > largest) largest = value;
      if (value > 0 && Number.isInteger(value) && value <= unverifiableFrom) {
        if (value < small.length) small[value]! += 1;
        continue;
      }
      const at = () => `row ${start + r}, column ${indices[i]} (${value})`;
      if (!Number.isFinite(value)) hit(found.notFinite, at);
      else if (value > unverifiableFrom) hit(found.unverifiable, at);
      else {
        if (value < 0) hit(found.negative, at);
        if (!Number.isInteger(value)) hit(found.fractional, at);
      }
    }
    found.entriesSeen += to - from;
    found.nonZero += nonZero;
    if (nonZero === 0) hit(found.emptyCells, () => `row ${start + r}`);
    else {
      found.cells += 1;
      if (smallest === 1) found.cellsWithOne += 1;
      if (largest > found.largest) found.largest = largest;
      if (total < found.smallestTotal) found.smallestTotal = total;
      if (total > found.largestTotal) found.largestTotal = total;
    }
    judgeSteps(steps, nonZero);
    if (hashes !== undefined)
      hashes[start + r] = hashEntries(indices, words, data.BYTES_PER_ELEMENT / 4, from, to);
  }
  found.rowsSeen += batch.nRows;
}

/** Makes the text only for those that are shown: there may be millions. */
function hit(tally: Tally, example: () => string): void {
  tally.hit(tally.count < 5 ? example() : "");
}

/** Cells whose hash occurs twice, compared for real with the first of their hash; empty cells are another problem. */
function findEqualCells(matrix: Matrix, hashes: Float64Array, equal: Tally): void {
  const suspects = repeatedHashes(hashes);
  if (suspects.size === 0) return;
  const first = new Map<number, { row: number; text: string }>();
  for (let row = 0; row < hashes.length; row++) {
    const hash = hashes[row] as number;
    if (!suspects.has(hash)) continue;
    const earlier = first.get(hash);
    // Reading cells one by one is slow; a few decide whether the hash can be believed.
    if (earlier !== undefined && equal.count >= 100) {
      equal.hit("");
      continue;
    }
    const text = contentOf(matrix.rows(row, row + 1));
    if (text === "") continue;
    if (earlier === undefined) first.set(hash, { row, text });
    else if (earlier.text === text) equal.hit(`rows ${earlier.row} and ${row}`);
  }
}

function contentOf(row: CsrRows): string {
  const parts: string[] = [];
  for (let i = 0; i < row.data.length; i++)
    if (row.data[i] !== 0) parts.push(`${row.indices[i]}:${row.data[i]}`);
  return parts.join(" ");
}

function reportScan(found: Scan, matrix: Matrix, where: string, rules: MatrixRules, report: Report): void {
  const part = found.rowsSeen === 0 ? "entries" : "rows";
  const scope = found.sampled ? ` in the ${part} looked at` : "";
  const tell = (code: Parameters<Report["add"]>[0], what: string, tally: Tally) => {
    if (tally.count > 0)
      report.add(
        code,
        where,
        `${tally.count} values${scope} are ${what}, the first at ${tally.examples[0]}`,
        tally,
      );
  };
  if (rules.anyNumber !== true) tell("not_finite", "NaN or infinite", found.notFinite);
  const zeros = zeroShare(found, matrix);
  if (matrix.format === "dense" && rules.sparseAboveZeros !== undefined && zeros > rules.sparseAboveZeros)
    report.add(
      "dense_matrix",
      where,
      `${where} is dense, but ${Math.round(zeros * 100)} % of its values are zero; store it as CSR`,
    );
  if (found.equalCells.count > 0)
    report.add(
      "equal_cells",
      where,
      `${found.equalCells.count} cells repeat the counts of another one: ${found.equalCells.shown}`,
      found.equalCells,
    );
  const { counts } = rules;
  if (counts === undefined) return;
  tell("negative_count", "negative", found.negative);
  tell("non_integer_count", "not whole numbers, so these are not counts", found.fractional);
  tell(
    "unverifiable_count",
    `larger than ${matrix.dtype} holds exactly, so whether they are whole cannot be told: these are no counts`,
    found.unverifiable,
  );
  if (rules.emptyCells === true && found.emptyCells.count > 0)
    report.add(
      "empty_cell",
      where,
      `${found.emptyCells.count} cells${scope} have no count at all: ${found.emptyCells.shown}`,
      found.emptyCells,
    );
  if (!report.failed(where)) judgeScaling(found, where, counts, report);
}

/**
 * Whole numbers can still be normalised ones that were cut or rounded. Holes between the counts of a cell, which no counting leaves, are an error
 * unless the rule says otherwise; what some counts share (one total after down-sampling, no 1 among a few antibodies, only 1 in open chromatin) is
 * a warning.
 */
function judgeScaling(found: Scan, where: string, { scaledAre = "error" }: CountsRule, report: Report): void {
  const { cells, smallestTotal, largestTotal, largest } = found;
  const { judged, stepped } = found.steps;
  if (cells < leastCells) return;
  const add = (severity: "error" | "warning", message: string) =>
    report.add("scaled_counts", where, message, { severity });
  if (judged >= leastCells && largest > 1 && stepped > steppedShare * judged)
    add(
      scaledAre,
      `${stepped} of ${judged} cells looked at lack counts that cells have, such as 1, or 2 between many 1 and 3: normalised and cut or rounded, so these are not counts`,
    );
  else if (largestTotal - smallestTotal <= 0.001 * largestTotal)
    add(
      "warning",
      `all ${cells} cells looked at have totals from ${smallestTotal} to ${largestTotal}: normalised and rounded, or down-sampled?`,
    );
  else if (found.cellsWithOne === 0)
    add("warning", `none of ${cells} cells looked at has a count of 1: scaled, or imputed?`);
  else if (judged >= leastCells && largest === 1)
    add("warning", "no value is above 1: whether a gene was seen, instead of how often?");
}

function zeroShare(found: Scan, matrix: Matrix): number {
  const looked = found.rowsSeen * matrix.shape[1];
  return looked === 0 ? 0 : 1 - found.nonZero / looked;
}
