/** Names suggested at most. */
const maxSuggestions = 5;

/** Longer names are not compared: nobody mistypes them letter by letter. */
const maxLength = 100;

/**
 * Names that somebody may have meant: equal but for case, then those that contain it or begin alike, then those a few edits away.
 * Work is bounded: a banded edit distance of at most 2 per name.
 */
export function closeNames(wanted: string, names: readonly string[]): string[] {
  if (wanted.length > maxLength) return [];
  const lower = wanted.toLowerCase();
  const scored: { name: string; score: number; position: number }[] = [];
  names.forEach((name, position) => {
    const score = distance(lower, name.toLowerCase());
    if (score !== undefined) scored.push({ name, score, position });
  });
  scored.sort((a, b) => a.score - b.score || a.name.length - b.name.length || a.position - b.position);
  return [...new Set(scored.map(({ name }) => name))].slice(0, maxSuggestions);
}

function distance(wanted: string, name: string): number | undefined {
  if (wanted === name) return 0;
  if (wanted.length >= 3 && name.startsWith(wanted)) return 1;
  const allowed = wanted.length < 4 ? 1 : 2;
  const edits = editsUpTo(wanted, name, allowed);
  if (edits !== undefined) return 1 + edits;
  return wanted.length >= 3 && name.includes(wanted) ? 4 : undefined;
}

/** Levenshtein distance when it is at most `limit`; rows are cut off as soon as they exceed it. */
function editsUpTo(a: string, b: string, limit: number): number | undefined {
  if (Math.abs(a.length - b.length) > limit) return undefined;
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const value = Math.min(
        previous[j]! + 1,
        row[j - 1]! + 1,
        previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
      row.push(value);
      least = Math.min(least, value);
    }
    if (least > limit) return undefined;
    previous = row;
  }
  const edits = previous[b.length]!;
  return edits <= limit ? edits : undefined;
}

/** What to say about a name that is not there. */
export function suggestion(wanted: string, names: readonly string[]): string {
  const close = closeNames(wanted, names);
  return close.length === 0 ? "" : `; close names: ${close.join(", ")}`;
}
