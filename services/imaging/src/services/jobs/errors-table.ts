import type { FileFailure } from "../../schemas/stage.ts";
import { csvLine } from "../tables/csv.ts";

/** First line of `errors.csv`. */
export const errorsHeader = "uri,reason,message,tries\n";

/** One line per file that failed, in the order of the files. */
export async function* errorLines(failures: readonly FileFailure[]): AsyncGenerator<string> {
  const ordered = [...failures].sort((a, b) => a.position - b.position);
  for (const { uri, reason, message, tries } of ordered) yield csvLine([uri, reason, message, tries]);
}

/** The first failures in a sentence, for the job's own error. */
export function failureSummary(failures: readonly FileFailure[], total: number, unit: string): string {
  const shown = failures
    .slice(0, 10)
    .map(({ uri, message }) => (message.includes(uri) ? message : `${uri}: ${message}`));
  const more = failures.length > shown.length ? ` | and ${failures.length - shown.length} more` : "";
  return `${failures.length} of ${total} ${unit}(s) failed: ${shown.join(" | ")}${more}`;
}
