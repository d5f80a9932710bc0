import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const REPORTER = new URL("event-reporter.mjs", import.meta.url).href;
const TAIL_BYTES = 16_384;
const GRACE_MS = 2_000;

function tailOf(stream) {
  let tail = Buffer.alloc(0);
  stream.on("data", (chunk) => {
    tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
  });
  return () => tail.toString().trim();
}

function signalGroup(pid, signal) {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, signal);
    return true;
  } catch {
    return false;
  }
}

function readEvents(path) {
  let raw;
  try {
    raw = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  // The last line may be half written when the process was killed.
  return raw.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

/** Asks the file's whole process group to end, and makes it end. */
async function stopGroup(child, exited) {
  signalGroup(child.pid, "SIGTERM");
  await Promise.race([exited, sleep(GRACE_MS, undefined, { ref: false })]);
  signalGroup(child.pid, "SIGKILL");
  await exited;
}

/** Waits for the output to be read to its end, but not for a stray process that still holds the pipe. */
async function drain(child, closed) {
  await Promise.race([closed, sleep(500, undefined, { ref: false })]);
  child.stdout.destroy();
  child.stderr.destroy();
}

/**
 * Runs one test file in a Node of its own, at the head of a process group of its own, so that whatever it starts ends with it.
 * @returns {Promise<{file: string, events: object[], exit: number | string, ms: number, timedOut: boolean, leftovers: boolean, output: string}>}
 */
export async function runFile(file, { cwd, grep, timeoutMs, tempDir, execArgv = [], signal }) {
  const eventsPath = join(tempDir, `${file.replaceAll(/[^\w.-]/g, "_")}.jsonl`);
  const env = { ...process.env, CYTOMESH_TEST_EVENTS: eventsPath };
  // Set when this harness itself runs below `node --test`; the files would then talk to that runner.
  delete env.NODE_TEST_CONTEXT;
  const flags = [
    `--test-reporter=${REPORTER}`,
    "--test-reporter-destination=stdout",
    ...(grep ? [`--test-name-pattern=${grep}`] : []),
  ];
  const started = performance.now();
  const child = spawn(process.execPath, [...execArgv, ...flags, file], {
    cwd,
    env,
    detached: process.platform !== "win32",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stdout = tailOf(child.stdout);
  const stderr = tailOf(child.stderr);
  const exited = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, killedBy) => resolve(killedBy ?? code));
  });

  const closed = new Promise((resolve) => child.once("close", resolve));

  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    void stopGroup(child, exited);
  }, timeoutMs);
  const abort = () => void signalGroup(child.pid, "SIGKILL");
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const exit = await exited;
    const ms = performance.now() - started;
    let leftovers = signalGroup(child.pid, 0);
    if (leftovers) {
      // What was only just told to stop is no leftover.
      await sleep(300);
      leftovers = signalGroup(child.pid, "SIGKILL");
    }
    await drain(child, closed);
    const output = [stdout(), stderr()].filter(Boolean).join("\n");
    return { file, events: readEvents(eventsPath), exit, ms, timedOut, leftovers, output };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    rmSync(eventsPath, { force: true });
  }
}
