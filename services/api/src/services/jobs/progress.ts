import type { Progress } from "../../schemas/jobs.ts";

const max = <T extends number | bigint>(a: T, b: T): T => (a > b ? a : b);

/**
 * The progress after a report: counts never fall within an attempt, also when reports overtake each other, and a total is
 * never below what is done. Undefined when nothing changed.
 */
export function advance(now: Progress, report: Progress): Progress | undefined {
  const done = max(now.done, report.done);
  const itemsSucceeded = max(now.itemsSucceeded, report.itemsSucceeded);
  const itemsFailed = max(now.itemsFailed, report.itemsFailed);
  const total = report.total > 0n ? report.total : now.total;
  const itemsTotal = report.itemsTotal > 0 ? report.itemsTotal : now.itemsTotal;
  const next: Progress = {
    done,
    total: total > 0n ? max(total, done) : total,
    unit: report.unit || now.unit,
    message: report.message,
    itemsSucceeded,
    itemsFailed,
    itemsTotal: itemsTotal > 0 ? max(itemsTotal, itemsSucceeded + itemsFailed) : itemsTotal,
  };
  const changed = (Object.keys(next) as (keyof Progress)[]).some((key) => next[key] !== now[key]);
  return changed ? next : undefined;
}
