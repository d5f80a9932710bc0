import type { AnnData, Matrix } from "../types.ts";
import { codedTexts } from "./conditions.ts";
import { checkMatrix, type MatrixRules } from "./matrices.ts";
import { quoted, type Report, Tally } from "./report.ts";
import type { CountsRule, ValidationProfile } from "./types.ts";

/** X, raw.X and layers: where the counts are, how they are stored, and what they say of each other. */
export function checkMatrices(
  file: AnnData,
  raw: AnnData["raw"],
  profile: ValidationProfile,
  entries: number,
  report: Report,
): void {
  const x = report.attempt("X", () => file.x);
  const countsAt = placeOfCounts(profile, raw !== undefined);
  const { counts, sparseAboveZeros, filteredFeatures } = profile;
  const judged = counts !== undefined && needsNoCounts(file, counts, report) ? undefined : counts;
  const mayBeEmpty = counts?.emptyCellsWith !== undefined && file.obs.has(counts.emptyCellsWith);
  const wantsSeen = filteredFeatures !== undefined && raw !== undefined && file.var.has(filteredFeatures);
  const check = (matrix: Matrix, where: string): Uint8Array | undefined => {
    checkLayout(matrix, where, profile, report);
    const rules: MatrixRules = {
      counts: where === countsAt ? judged : undefined,
      emptyCells: counts?.noEmptyCells === true && !mayBeEmpty,
      equalCells: where === countsAt && counts?.noEqualCells === true,
      sparseAboveZeros,
      seenColumns: wantsSeen,
    };
    return checkMatrix(matrix, where, rules, entries, report);
  };
  const seen = x === undefined ? undefined : check(x, "X");
  const seenRaw = raw === undefined ? undefined : check(raw.x, "raw/X");
  if (countsAt !== undefined) missingCounts(countsAt, countsAt === "X" ? x : raw, report);
  else if (x === undefined && !report.failed("X")) report.add("missing_x", "X", "the file has no X");
  for (const key of file.layers.keys()) checkLayer(file, key, profile, entries, report);
  if (profile.rawLikeX === true && raw !== undefined) compareGenes(file, raw, report);
  if (
    profile.normalisedWanted === true &&
    raw === undefined &&
    x !== undefined &&
    judged !== undefined &&
    !report.failed("X")
  )
    report.add(
      "only_counts",
      "X",
      "there are only counts: put normalised values into X and the counts into raw",
      {
        severity: "warning",
      },
    );
  if (filteredFeatures !== undefined) checkFiltered(file, raw, filteredFeatures, seen, seenRaw, report);
}

function placeOfCounts(rules: ValidationProfile, hasRaw: boolean): "X" | "raw/X" | undefined {
  const where = rules.counts?.where;
  return where === "raw or X" ? (hasRaw ? "raw/X" : "X") : where;
}

/** Assays that count nothing: see `CountsRule.unless`. */
function needsNoCounts(file: AnnData, { unless }: CountsRule, report: Report): boolean {
  if (unless === undefined || !file.obs.has(unless.column) || report.unreadable(`obs/${unless.column}`))
    return false;
  const { texts, codes } = codedTexts(file.obs.column(unless.column));
  const found = [...new Set(codes)].map((code) => texts[code]).filter((text) => text !== undefined);
  return (
    found.some((text) => unless.some.includes(text)) && !found.some((text) => unless.none.includes(text))
  );
}

function missingCounts(where: "X" | "raw/X", found: unknown, report: Report): void {
  if (found !== undefined || report.failed(where) || report.failed("raw")) return;
  report.add(
    "missing_x",
    where,
    where === "X" ? "the file has no X" : "the file has no raw.X; are the counts in X?",
  );
}

function checkLayout(
  matrix: Matrix,
  where: string,
  { sparseLayouts }: ValidationProfile,
  report: Report,
): void {
  if (sparseLayouts === undefined || matrix.format === "dense" || sparseLayouts.includes(matrix.format))
    return;
  report.add(
    "wrong_layout",
    where,
    `${where} is stored as ${matrix.format.toUpperCase()}, expected ${sparseLayouts.join(" or ").toUpperCase()}`,
  );
}

function checkLayer(
  file: AnnData,
  key: string,
  profile: ValidationProfile,
  entries: number,
  report: Report,
): void {
  const where = `layers/${key}`;
  const layer = report.attempt(where, () => file.layers.get(key));
  if (layer === undefined) return;
  checkLayout(layer, where, profile, report);
  const { sparseAboveZeros } = profile;
  // A layer may hold anything; all that is asked is whether it should be sparse.
  if (layer.format === "dense" && sparseAboveZeros !== undefined)
    checkMatrix(layer, where, { sparseAboveZeros, anyNumber: true }, entries, report);
}

function compareGenes(file: AnnData, raw: NonNullable<AnnData["raw"]>, report: Report): void {
  if (report.unreadable(`var/${file.var.indexName}`) || report.unreadable(`raw/var/${raw.var.indexName}`))
    return;
  const say = (message: string) => report.add("raw_differs", "raw/var", message);
  if (raw.var.length !== file.var.length) {
    say(`raw has ${raw.var.length} genes, X has ${file.var.length}; keep those left out of X as zeros`);
    return;
  }
  const [ours, theirs] = [file.var.index(), raw.var.index()];
  const first = ours.findIndex((name, i) => name !== theirs[i]);
  if (first >= 0)
    say(
      `gene ${first} is ${quoted(theirs[first]!)} in raw and ${quoted(ours[first]!)} in X; they must be the same, in one order`,
    );
}

/** Features said to be left out of X have no value there; those without a value there were left out, or had none before. */
function checkFiltered(
  file: AnnData,
  raw: AnnData["raw"],
  name: string,
  seen: Uint8Array | undefined,
  seenRaw: Uint8Array | undefined,
  report: Report,
): void {
  const at = `var/${name}`;
  if (!file.var.has(name) || report.failed(at)) return;
  const column = file.var.column(name);
  if (column.kind !== "boolean") return;
  const { values } = column;
  const filtered = values.reduce((sum, value) => sum + value, 0);
  if (raw === undefined) {
    if (filtered > 0)
      report.add(
        "bad_value",
        at,
        `${at} is true for ${filtered} features, but there is no raw that would have them`,
        {
          count: filtered,
        },
      );
    return;
  }
  if (
    seen === undefined ||
    seenRaw === undefined ||
    seen.length !== values.length ||
    seenRaw.length !== values.length
  )
    return;
  const [kept, lost] = [new Tally(), new Tally()];
  const names = report.unreadable(`var/${file.var.indexName}`) ? undefined : file.var.index();
  for (let i = 0; i < values.length; i++) {
    const told = quoted(names?.[i] ?? String(i));
    if (values[i] === 1 && seen[i] === 1) kept.hit(told);
    if (values[i] === 0 && seen[i] === 0 && seenRaw[i] === 1) lost.hit(told);
  }
  const warn = (message: string, { count, examples }: Tally) =>
    report.add("filtered_gene", at, message, { severity: "warning", count, examples });
  if (kept.count > 0)
    warn(`${at} is true for ${kept.count} features that have values in X: ${kept.shown}`, kept);
  if (lost.count > 0)
    warn(
      `${at} is false for ${lost.count} features that have values in raw and none in X: ${lost.shown}`,
      lost,
    );
}
