import { type ChildProcess, fork } from "node:child_process";
import { parseArgs } from "node:util";

/** What came of one mutant. */
export interface Outcome {
  /** "read" when nothing was refused, else the tag of the first typed error, or "untyped: …". */
  result: string;
  ms: number;
  /** Resident memory of the child at that time, MiB. */
  rssMiB: number;
}

export interface FuzzReport {
  outcomes: Map<string, number>;
  hangs: number[];
  crashes: number[];
  untyped: { mutant: number; result: string }[];
  slowest: { mutant: number; ms: number };
  peakRssMiB: number;
}

export interface FuzzOptions {
  /** Mutants, numbered from 0. */
  count: number;
  /** Wall-clock limit of one mutant, ms. */
  limitMs: number;
  /** A child above this is a finding and is replaced, MiB. */
  rssLimitMiB: number;
  /** Arguments for the child, beside where to begin. */
  args: readonly string[];
}

interface ChildMessage {
  mutant: number;
  outcome?: Outcome;
}

/**
 * Runs all mutants in a child process that is killed when one takes too long and started again after it. The module at `script` calls
 * `serveMutants` when it is the child.
 */
export async function fuzz(script: string, options: FuzzOptions): Promise<FuzzReport> {
  const report: FuzzReport = {
    outcomes: new Map(),
    hangs: [],
    crashes: [],
    untyped: [],
    slowest: { mutant: -1, ms: 0 },
    peakRssMiB: 0,
  };
  let next = 0;
  while (next < options.count) next = await runChild(script, options, next, report);
  return report;
}

function runChild(script: string, options: FuzzOptions, from: number, report: FuzzReport): Promise<number> {
  return new Promise((resolve) => {
    const child: ChildProcess = fork(script, [...options.args], {
      env: { ...process.env, FUZZ_CHILD: `${from}:${options.count}` },
      execArgv: ["--max-old-space-size=1024"],
    });
    let running = from;
    let ended: "hang" | "memory" | undefined;
    const watch = () => setTimeout(() => stop("hang"), options.limitMs);
    // The first one also pays for loading the child.
    let timer = setTimeout(() => stop("hang"), options.limitMs + 20_000);

    function stop(why: "hang" | "memory"): void {
      ended = why;
      child.kill("SIGKILL");
    }

    child.on("message", ({ mutant, outcome }: ChildMessage) => {
      clearTimeout(timer);
      timer = watch();
      running = mutant;
      if (outcome === undefined) return;
      running = mutant + 1;
      record(report, mutant, outcome);
      if (outcome.rssMiB > options.rssLimitMiB) stop("memory");
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      if (code === 0 || running >= options.count) return resolve(options.count);
      if (ended === "hang") report.hangs.push(running);
      else if (ended === "memory") report.untyped.push({ mutant: running - 1, result: "memory" });
      else report.crashes.push(running);
      resolve(ended === "memory" ? running : running + 1);
    });
  });
}

function record(report: FuzzReport, mutant: number, outcome: Outcome): void {
  const kind = outcome.result.startsWith("untyped") ? "untyped" : outcome.result;
  report.outcomes.set(kind, (report.outcomes.get(kind) ?? 0) + 1);
  if (kind === "untyped") report.untyped.push({ mutant, result: outcome.result });
  if (outcome.ms > report.slowest.ms) report.slowest = { mutant, ms: outcome.ms };
  report.peakRssMiB = Math.max(report.peakRssMiB, outcome.rssMiB);
}

/** @returns undefined in the parent; in the child, the mutants it is to try */
export function childRange(): { from: number; to: number } | undefined {
  const range = process.env.FUZZ_CHILD?.split(":").map(Number);
  return range === undefined ? undefined : { from: range[0]!, to: range[1]! };
}

/** Tries mutants one after another and tells the parent. */
export async function serveMutants(
  { from, to }: { from: number; to: number },
  attempt: (mutant: number) => Promise<string> | string,
): Promise<void> {
  for (let mutant = from; mutant < to; mutant++) {
    process.send!({ mutant } satisfies ChildMessage);
    const start = performance.now();
    const result = await attempt(mutant);
    const outcome = { result, ms: performance.now() - start, rssMiB: process.memoryUsage().rss / 2 ** 20 };
    await new Promise((sent) => process.send!({ mutant, outcome } satisfies ChildMessage, sent));
  }
  process.exit(0);
}

export function printReport(title: string, count: number, report: FuzzReport): void {
  console.log(`\n${title}: ${count} mutants`);
  for (const [result, times] of [...report.outcomes].sort((a, b) => b[1] - a[1])) {
    console.log(`  ${result.padEnd(20)} ${times}`);
  }
  console.log(`  ${"crashes".padEnd(20)} ${report.crashes.length} ${report.crashes.slice(0, 10).join(" ")}`);
  console.log(`  ${"hangs".padEnd(20)} ${report.hangs.length} ${report.hangs.slice(0, 10).join(" ")}`);
  console.log(`  slowest ${report.slowest.ms.toFixed(0)} ms (mutant ${report.slowest.mutant})`);
  console.log(`  peak RSS ${report.peakRssMiB.toFixed(0)} MiB`);
  for (const { mutant, result } of report.untyped.slice(0, 10)) console.log(`  mutant ${mutant}: ${result}`);
}

/** What `[MUTANTS] [--seed N] [--only MUTANT] [--jpeg2000]` says; the last is for TIFF. */
export function fuzzArguments(defaultCount: number): {
  count: number;
  seed: number;
  only: number | undefined;
  jpeg2000: boolean;
} {
  const { values, positionals } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      only: { type: "string" },
      jpeg2000: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const number = (name: string, text: string): number => {
    if (/^\d+$/.test(text)) return Number(text);
    throw new Error(`${name}: expected a whole number, found ${text}`);
  };
  return {
    count: number("MUTANTS", positionals[0] ?? String(defaultCount)),
    seed: number("--seed", values.seed),
    only: values.only === undefined ? undefined : number("--only", values.only),
    jpeg2000: values.jpeg2000,
  };
}
