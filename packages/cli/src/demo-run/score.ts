import type { Ontology } from "@cytomesh/ontology";
import type { Call } from "../annotate/grpc.ts";
import { table } from "../terminal/text.ts";

/** How often calls are right. */
export interface Score {
  /** The called label is the true one. */
  readonly exact: number;
  /** The called term is the true one or an ancestor of it: right, if less specific. */
  readonly compatible: number;
  /** Cells whose truth is known. */
  readonly cells: number;
  /** Most frequent mistakes: true label, called label, cells. */
  readonly mistakes: readonly { truth: string; call: string; cells: number }[];
}

/** Compare calls with the truth. Without an ontology only equal labels are compatible. */
export function scoreCalls(
  calls: readonly Call[],
  truth: readonly { label: string; termId: string }[],
  ontology: Ontology | undefined,
): Score {
  let exact = 0;
  let compatible = 0;
  let cells = 0;
  const mistakes = new Map<string, { truth: string; call: string; cells: number }>();
  calls.forEach((call, i) => {
    const real = truth[i];
    // A cell without a true label proves nothing.
    if (real === undefined || (real.label === "" && real.termId === "")) return;
    cells += 1;
    const same = call.label === real.label || (call.termId !== "" && call.termId === real.termId);
    if (same) exact += 1;
    if (same || isAncestor(ontology, call, real)) compatible += 1;
    else {
      const key = `${real.label}\u0000${call.label}`;
      const entry = mistakes.get(key) ?? { truth: real.label, call: call.label || "(none)", cells: 0 };
      entry.cells += 1;
      mistakes.set(key, entry);
    }
  });
  return {
    exact,
    compatible,
    cells,
    mistakes: [...mistakes.values()].sort((a, b) => b.cells - a.cells),
  };
}

function isAncestor(
  ontology: Ontology | undefined,
  call: Call,
  real: { label: string; termId: string },
): boolean {
  if (ontology === undefined) return false;
  const called = call.termId === "" ? ontology.findByLabel(call.label) : ontology.indexOf(call.termId);
  const actual = real.termId === "" ? ontology.findByLabel(real.label) : ontology.indexOf(real.termId);
  return called >= 0 && actual >= 0 && ontology.isAncestor(called, actual);
}

/** A confusion table: true labels down, called labels across. */
export function confusionTable(calls: readonly Call[], truth: readonly { label: string }[]): string {
  const rows = [...new Set(truth.map((one) => one.label))].sort();
  const columns = [...new Set(calls.map((one) => one.label))].sort();
  const count = new Map<string, number>();
  calls.forEach((call, i) => {
    const key = `${truth[i]?.label}\u0000${call.label}`;
    count.set(key, (count.get(key) ?? 0) + 1);
  });
  return table(
    ["true \\ called", ...columns],
    rows.map((row) => [row, ...columns.map((column) => count.get(`${row}\u0000${column}`) ?? 0)]),
  );
}
