/**
 * A test for SQL `LIKE` where `%` stands for any text and nothing else is special; letter case does not matter. Greedy search piece by
 * piece: linear in the length of the name, whatever the pattern.
 */
export function likeMatcher(pattern: string): (text: string) => boolean {
  const pieces = pattern.toLowerCase().split("%");
  const first = pieces[0] ?? "";
  if (pieces.length === 1) return (text) => text.toLowerCase() === first;
  const last = pieces[pieces.length - 1] ?? "";
  const middle = pieces.slice(1, -1).filter((piece) => piece !== "");
  return (text) => {
    const name = text.toLowerCase();
    const end = name.length - last.length;
    if (!name.startsWith(first) || !name.endsWith(last) || end < first.length) return false;
    let from = first.length;
    for (const piece of middle) {
      const at = name.indexOf(piece, from);
      if (at < 0 || at + piece.length > end) return false;
      from = at + piece.length;
    }
    return true;
  };
}
