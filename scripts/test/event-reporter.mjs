// The reporter a test file runs with: writes what happened as one JSON line per test into $CYTOMESH_TEST_EVENTS, and "end" when the
// runner came to its end. A file of its own, not a stream: nothing is lost, blocked or inherited when the test process is killed.
import { appendFileSync } from "node:fs";

// Node's own closing counts, which arrive as diagnostics too.
const COUNTS = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;
const path = process.env.CYTOMESH_TEST_EVENTS;
const MAX_STACK_LINES = 80;

// The harness is gone (killed outright): take the whole process group along, nobody else would.
const harness = process.ppid;
if (process.platform !== "win32") {
  setInterval(() => {
    if (process.ppid !== harness) process.kill(-process.pid, "SIGKILL");
  }, 1_000).unref();
}

function text(error) {
  if (!(error instanceof Error)) return String(error);
  const stack =
    typeof error.stack === "string" && error.stack.includes(error.message)
      ? error.stack
      : `${error.name}: ${error.message}\n${error.stack}`;
  // Without the runner's own frames.
  const lines = stack.split("\n").filter((line) => !/^\s+at .*\bnode:(internal|async_hooks)\b/.test(line));
  if (lines.length > MAX_STACK_LINES)
    lines.splice(MAX_STACK_LINES, Infinity, `… ${lines.length - MAX_STACK_LINES} more lines`);
  const below =
    error instanceof AggregateError ? error.errors : error.cause === undefined ? [] : [error.cause];
  return [lines.join("\n"), ...below.map((cause) => `caused by ${text(cause)}`)].join("\n");
}

function failure(details) {
  const wrapped = details.error;
  // Node wraps what the test threw; its own failures (cancelled, unfinished) are only in the wrapper's message.
  const cause =
    wrapped?.failureType !== "cancelledByParent" && wrapped?.cause instanceof Error
      ? wrapped.cause
      : undefined;
  return {
    kind: wrapped?.failureType,
    text: cause ? text(cause) : String(wrapped?.cause ?? wrapped?.message ?? "failed"),
  };
}

const keyOf = ({ file, line, column, nesting, name }) => [file, line, column, nesting, name].join(":");

export default async function* report(events) {
  const write = (line) => appendFileSync(path, `${JSON.stringify(line)}\n`);
  const open = [];
  for await (const { type, data } of events) {
    if (type === "test:start") {
      open.length = data.nesting;
      open.push(data.name);
    }
    if (type === "test:dequeue") write({ started: keyOf(data), name: data.name });
    if (type === "test:complete") write({ completed: keyOf(data) });
    if (type === "test:diagnostic" && !COUNTS.test(data.message)) write({ diagnostic: data.message });
    if (type !== "test:pass" && type !== "test:fail") continue;
    write({
      failed: type === "test:fail",
      path: [...open.slice(0, data.nesting), data.name],
      suite: data.details?.type === "suite",
      skip: data.skip ?? null,
      todo: data.todo ?? null,
      ms: data.details?.duration_ms ?? 0,
      error: type === "test:fail" ? failure(data.details ?? {}) : null,
    });
  }
  write({ end: true });
  yield "";
}
