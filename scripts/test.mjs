// Runs the project's tests, each file in a process group of its own, and ends with one line of totals.
//
//   node scripts/test.mjs [--interop] [--containers] [--grep REGEX] [--timeout SECONDS] [--concurrency N] [file or folder …]
//
// With files or folders only those run. The files use `node:test`; Node's own runner API (`run()`) spawns its files itself and
// cannot give them a process group, so a hung file's servers would outlive it: hence a reporter inside each file and a pool here.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { filesBelow } from "./lib/walk.mjs";
import { failuresOf, summary, totalsLine, totalsOf } from "./test/report.mjs";
import { runFile } from "./test/run-file.mjs";
import { tally } from "./test/tally.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isTest = (path) => /\.test\.m?ts$|\.test\.mjs$/.test(path);

const OPTIONS = {
  interop: { type: "boolean", default: false },
  containers: { type: "boolean", default: false },
  grep: { type: "string" },
  timeout: { type: "string", default: "300" },
  concurrency: { type: "string", default: String(availableParallelism()) },
};

/** A mistake on the command line: told without a stack. */
class UsageError extends Error {}

function number(name, text, min) {
  const value = Number(text);
  if (Number.isFinite(value) && value >= min) return value;
  throw new UsageError(`--${name} expects a number of at least ${min}, found "${text}"`);
}

function readArguments(argv) {
  const { values, positionals } = parseArgs({ args: argv, options: OPTIONS, allowPositionals: true });
  return {
    ...values,
    timeoutMs: number("timeout", values.timeout, 0.1) * 1000,
    concurrency: Math.floor(number("concurrency", values.concurrency, 1)),
    paths: positionals,
  };
}

/** A named file runs whatever it is called; a named folder gives the test files below it. */
function namedFiles(path) {
  const full = [resolve(path), resolve(root, path)].find((candidate) =>
    statSync(candidate, { throwIfNoEntry: false }),
  );
  if (full === undefined) throw new UsageError(`no such test file or folder: ${path}`);
  return statSync(full).isDirectory() ? filesBelow(full).filter(isTest) : [full];
}

function selectFiles({ paths, interop, containers }) {
  if (paths.length > 0) return paths.flatMap(namedFiles);
  const sources = ["packages", "services"]
    .flatMap((dir) => filesBelow(join(root, dir)))
    .filter((path) => path.includes(`${sep}src${sep}`));
  const folders = [
    "scripts",
    "test/e2e",
    ...(interop ? ["test/interop"] : []),
    ...(containers ? ["test/containers"] : []),
  ];
  return [...sources, ...folders.flatMap((dir) => filesBelow(join(root, dir)))].filter(isTest);
}

async function runAll(files, { concurrency, onResult, ...options }) {
  const queue = files.values();
  const worker = async () => {
    for (const file of queue) {
      if (options.signal.aborted) return;
      onResult(tally(await runFile(file, options), options));
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, files.length) }, worker));
}

async function main(argv) {
  const options = readArguments(argv);
  const files = [...new Set(selectFiles(options).map((path) => relative(root, path)))];
  const tempDir = mkdtempSync(join(tmpdir(), "cytomesh-test-"));
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => stop.abort(signal));
  const started = performance.now();
  const results = [];
  const progress = (text) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`);
  const onResult = (result) => {
    results.push(result);
    progress("");
    if (result.failures.length > 0 && !stop.signal.aborted) console.log(failuresOf(result));
    progress(`${results.length}/${files.length} files`);
  };
  try {
    await runAll(files, {
      ...options,
      cwd: root,
      execArgv: [],
      tempDir,
      signal: stop.signal,
      onResult,
    });
  } finally {
    rmSync(tempDir, { recursive: true, force: true });
    progress("");
  }
  const totals = totalsOf(results);
  if (stop.signal.aborted)
    console.log(`stopped by ${stop.signal.reason} after ${results.length} of ${files.length} files`);
  console.log(summary(results, { wallMs: performance.now() - started, concurrency: options.concurrency }));
  const ran = totals.passed + totals.failed + totals.skipped;
  if (ran === 0) console.log("no test ran: check the file names and --grep");
  console.log(totalsLine(totals));
  process.exitCode = totals.failed > 0 || ran === 0 || stop.signal.aborted ? 1 : 0;
}

await main(process.argv.slice(2)).catch((error) => {
  console.error(
    error instanceof UsageError || error.code?.startsWith("ERR_PARSE_ARGS") ? error.message : error,
  );
  process.exitCode = 1;
});
