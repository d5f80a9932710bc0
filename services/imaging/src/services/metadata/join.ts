import type { MessageInitShape } from "@bufbuild/protobuf";
import type { JoinReportSchema } from "@cytomesh/contracts/jobs/v1/imaging";

/** Keys of a join that are sent with the result; the report has them all. */
const shownKeys = 100;

/** A table to join to by one column, and what became of each row that asked. */
export interface Join<T> {
  readonly name: string;
  /** The partner of a row, or undefined when there is none or several that differ. */
  find(key: string, prefer?: (one: T) => boolean): T | undefined;
  report(): MessageInitShape<typeof JoinReportSchema>;
  /** All keys with the number of rows that asked for them. */
  details(): { unmatched: Record<string, number>; ambiguous: Record<string, number> };
}

/** Join by key. Rows of the other table that are equal count once. */
export function createJoin<T>(name: string, rows: Iterable<readonly [key: string, row: T]>): Join<T> {
  const table = new Map<string, T[]>();
  for (const [key, row] of rows) {
    const known = table.get(key);
    if (known === undefined) table.set(key, [row]);
    else if (!known.some((one) => JSON.stringify(one) === JSON.stringify(row))) known.push(row);
  }
  let matched = 0;
  const unmatched = new Map<string, number>();
  const ambiguous = new Map<string, number>();
  const count = (into: Map<string, number>, key: string) => void into.set(key, (into.get(key) ?? 0) + 1);
  const total = (of: Map<string, number>) => BigInt([...of.values()].reduce((sum, n) => sum + n, 0));
  return {
    name,
    find(key, prefer) {
      const found = table.get(key) ?? [];
      const best = found.length > 1 && prefer !== undefined ? found.filter(prefer) : found;
      if (best.length === 1) {
        matched += 1;
        return best[0];
      }
      count(found.length === 0 ? unmatched : ambiguous, key);
      return undefined;
    },
    report: () => ({
      name,
      matched: BigInt(matched),
      unmatched: total(unmatched),
      ambiguous: total(ambiguous),
      unmatchedKeys: [...unmatched.keys()].slice(0, shownKeys),
      ambiguousKeys: [...ambiguous.keys()].slice(0, shownKeys),
    }),
    details: () => ({
      unmatched: Object.fromEntries(unmatched),
      ambiguous: Object.fromEntries(ambiguous),
    }),
  };
}
