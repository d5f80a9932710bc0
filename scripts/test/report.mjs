const SLOWEST = 10;

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const indent = (text) => text.replaceAll(/^(?=.)/gm, "    ");

/** The failures of one file, in full. */
export function failuresOf(result) {
  const blocks = result.failures.map(({ file, name, text }) => `FAILED ${file} > ${name}\n${indent(text)}\n`);
  if (result.output !== "") blocks.push(`output of ${result.file} (its end)\n${indent(result.output)}\n`);
  return blocks.join("\n");
}

/** The closing line, alone and in exactly this form: scripts read it. */
export function totalsLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

export function totalsOf(results) {
  const sum = (of) => results.reduce((total, result) => total + of(result), 0);
  return {
    passed: sum((r) => r.passed),
    failed: sum((r) => r.failed),
    skipped: sum((r) => r.skipped.length),
  };
}

/** What stands between the failures and the closing line: skipped tests by reason, stray processes, the slowest files. */
export function summary(results, { wallMs, concurrency }) {
  const lines = [];
  const reasons = new Map();
  for (const reason of results.flatMap((result) => result.skipped))
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  if (reasons.size > 0) {
    lines.push("Skipped");
    for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]))
      lines.push(`${String(count).padStart(7)}  ${reason}`);
  }
  const stray = results.filter((result) => result.leftovers);
  if (stray.length > 0)
    lines.push("Left processes running (killed)", ...stray.map((result) => `         ${result.file}`));
  lines.push("Slowest files");
  const slowest = results.toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST);
  for (const result of slowest) lines.push(`${seconds(result.ms).padStart(9)}  ${result.file}`);
  lines.push(
    `${results.length} files in ${seconds(wallMs)}, ${concurrency} at a time, Node ${process.versions.node}`,
  );
  return lines.join("\n");
}
