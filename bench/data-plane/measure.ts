import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { python } from "./study.ts";

/** What one run of one side cost. */
export interface Cost {
  wallS: number;
  /** User and system time of all threads. */
  cpuS: number;
  /** Highest resident memory of the process until then, MiB. */
  peakMiB: number;
}

/** Runs `work` `times` times in this process and gives the run with the least CPU time, with what it returned. */
export async function measure<T>(work: () => T | Promise<T>, times = 3): Promise<Cost & { result: T }> {
  let best: (Cost & { result: T }) | undefined;
  for (let i = 0; i < times; i++) {
    const wall = performance.now();
    const cpu = process.cpuUsage();
    const result = await work();
    const { user, system } = process.cpuUsage(cpu);
    const cost = { wallS: (performance.now() - wall) / 1e3, cpuS: (user + system) / 1e6, peakMiB: peakMiB() };
    if (best === undefined || cost.cpuS < best.cpuS) best = { ...cost, result };
  }
  return { ...best!, peakMiB: peakMiB() };
}

/** Linux counts the highest resident memory of a process. */
function peakMiB(): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(line?.[1] ?? 0) / 1024;
}

const preamble = `
import json, sys, time, resource
def measure(work, times=3, check=None):
    best = None
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        cost = {"wallS": time.perf_counter() - wall, "cpuS": time.process_time() - cpu, "result": result}
        if best is None or cost["cpuS"] < best["cpuS"]: best = cost
    best["peakMiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if check is not None: best["result"] = check()
    print(json.dumps(best))
`;

const childFlag = "--child";

/** What `measureNode` gave this process; undefined in the process that was started by hand. */
export function childArguments(): string[] | undefined {
  const at = process.argv.indexOf(childFlag);
  return at < 0 ? undefined : process.argv.slice(at + 1);
}

/** A Node side in a process of its own: `script` finds `args` in `childArguments()` and prints one line of JSON. */
export function measureNode<T>(script: string, args: readonly string[]): Cost & { result: T } {
  const own = process.argv.slice(2);
  const printed = execFileSync(process.execPath, [script, ...own, childFlag, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(printed.toString()) as Cost & { result: T };
}

/** The Python side: `code` calls `measure(work, times, check)` once; what `check`, or else `work`, returns comes back. */
export function measurePython<T>(code: string, args: readonly string[] = []): Cost & { result: T } {
  const printed = execFileSync(python(), ["-c", preamble + code, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(printed.toString()) as Cost & { result: T };
}

/** One line per side: wall, CPU, peak memory, and how many times as fast as `against` it was. */
export function printCosts(title: string, sides: Readonly<Record<string, Cost>>, against: string): void {
  console.log(`\n${title}`);
  const base = sides[against]!;
  for (const [name, cost] of Object.entries(sides)) {
    const ratio = `${(base.wallS / cost.wallS).toFixed(2)}x wall, ${(base.cpuS / cost.cpuS).toFixed(2)}x cpu`;
    console.log(
      `  ${name.padEnd(34)} wall ${cost.wallS.toFixed(2).padStart(6)} s  cpu ${cost.cpuS.toFixed(2).padStart(6)} s  ` +
        `peak ${cost.peakMiB.toFixed(0).padStart(5)} MiB  ${name === against ? "(the measure)" : ratio}`,
    );
  }
}
